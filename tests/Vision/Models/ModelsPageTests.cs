using System.Text;
using System.Text.Json;
using Portable.Decoding.Architecture;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>
/// docs/models.md is made of the code's own tables and of the goldens that there are. Run with PORTABLE_WRITE_DOCS=1 to write it again:
/// <c>PORTABLE_WRITE_DOCS=1 dotnet test tests/Vision -c Release --filter Name~ThePageOfModels</c>.
/// </summary>
public sealed class ModelsPageTests
{
    private static readonly string s_page = Path.Combine(Fixtures.RepositoryRoot, "docs", "models.md");

    [Test]
    public void ThePageOfModelsHoldsEveryFamilyOfTheTables()
    {
        string page = File.ReadAllText(s_page);
        Assert.Multiple(() =>
        {
            foreach (string type in DecoderFamily.All.SelectMany(f => f.ModelTypes.Concat(f.GgufArchitectures)).Concat(VisionFamily.All.Select(f => f.ModelType)))
                Assert.That(page, Does.Contain($"`{type}`"), $"{type}: write docs/models.md again, as this class says");
        });
    }

    [Test]
    [Category("Golden")]
    public void ThePageOfModelsIsWhatTheTablesAndTheGoldensSay()
    {
        if (Fixtures.Find("checkpoints") is not { } folder || Directory.GetDirectories(folder).Length < 30)
        {
            Assert.Ignore("the fixtures checkpoints are absent, or a part of them: what proves each family cannot be counted");
            return;
        }

        string page = Page(folder);
        if (Environment.GetEnvironmentVariable("PORTABLE_WRITE_DOCS") == "1")
            File.WriteAllText(s_page, page);
        Assert.That(File.ReadAllText(s_page), Is.EqualTo(page), "write docs/models.md again, as this class says");
    }

    private static string Page(string folder)
    {
        var text = new StringBuilder();
        text.Append(
            """
            # Models

            Made by `PORTABLE_WRITE_DOCS=1 dotnet test tests/Vision -c Release --filter Name~ThePageOfModels` of the code's tables and of the goldens at hand; a test
            fails when it is out of date. *Golden* means: a tiny checkpoint of the family with random weights gives the logits and the greedy tokens of Hugging Face
            transformers (images: its pixels, prompts, positions and features too), in float32 on the CPU within 0.002 standard deviations, and in float16 on a device of
            the tests. *GGUF* means that the same holds through a GGUF file. No real model of most families was at hand: where one was, README says so.

            ## Language models

            | family | `model_type` | GGUF architecture | proved by |
            |---|---|---|---|

            """);
        List<(string ModelType, bool HasGguf, bool IsVision)> goldens = [.. Directory.GetDirectories(folder).Where(f => File.Exists(Path.Combine(f, "golden.json"))).Select(Golden)];
        foreach (DecoderFamily family in DecoderFamily.All)
        {
            bool isText = goldens.Any(g => !g.IsVision && family.ModelTypes.Contains(g.ModelType)), isImage = goldens.Any(g => g.IsVision && family.ModelTypes.Contains(g.ModelType));
            bool hasGguf = goldens.Any(g => g.HasGguf && family.ModelTypes.Contains(g.ModelType));
            string proof = isText ? hasGguf ? "golden, GGUF" : family.GgufArchitectures.Count > 0 ? "golden; GGUF untested" : "golden" : isImage ? "golden, with images" : "not tested";
            text.Append($"| {family.Name} | {Code(family.ModelTypes)} | {Code(family.GgufArchitectures)} | {proof} |\n");
        }

        text.Append("\n## Vision-language models\n\n| `model_type` | images | videos | proved by |\n|---|---|---|---|\n");
        HashSet<string> roots = [.. Directory.GetDirectories(folder).Where(f => File.Exists(Path.Combine(f, "golden.json"))).Select(Root)];
        foreach (VisionFamily family in VisionFamily.All)
            text.Append($"| `{family.ModelType}`{(family.TowerType is { } tower ? $" with a `{tower}` tower" : "")} | yes | {(family.Video == Portable.Vision.Processing.VideoKind.None ? "no" : "yes")} | {(roots.Contains(family.ModelType) ? "golden" : "not tested")} |\n");
        text.Append("\nProjector files (`mmproj`) beside GGUF files are read for Qwen2-VL, Qwen2.5-VL and Qwen3-VL, for images; tested on files that the tests write after the converter's names, for want of one that the converter wrote. For other families use the folder.\n\nNot yet: MiniCPM-V, of which only the preprocessing is here (golden).\n");
        return text.ToString().ReplaceLineEndings("\n");

        static string Code(IReadOnlyList<string> names) => names.Count == 0 ? "" : string.Join(", ", names.Select(n => $"`{n}`"));
    }

    private static (string ModelType, bool HasGguf, bool IsVision) Golden(string folder)
    {
        using JsonDocument config = Fixtures.Json(Path.Combine(folder, "config.json")), golden = Fixtures.Json(Path.Combine(folder, "golden.json"));
        JsonElement root = config.RootElement;
        JsonElement text = root.TryGetProperty("text_config", out JsonElement inner) ? inner : root;
        string type = text.TryGetProperty("model_type", out JsonElement own) ? own.GetString()! : root.GetProperty("model_type").GetString()!;
        bool hasGguf = golden.RootElement.TryGetProperty("gguf", out JsonElement gguf) && gguf.TryGetProperty("file", out JsonElement file) && file.ValueKind == JsonValueKind.String;
        return (type, hasGguf, golden.RootElement.TryGetProperty("cases", out _));
    }

    private static string Root(string folder)
    {
        using JsonDocument config = Fixtures.Json(Path.Combine(folder, "config.json"));
        return config.RootElement.GetProperty("model_type").GetString()!;
    }
}
