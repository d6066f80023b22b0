using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Decoding.Model;

namespace Portable.Tests.Vision.Models;

/// <summary>
/// A model that this project trained, against the training program's own logits in float32: <c>reference/questions.json</c> beside its weights names images,
/// prompts and logits of the prompt's last position. The prompt is built here from the image and the question's text.
/// </summary>
[TestFixture]
public sealed class TrainedModelTests
{
    private const float Tolerance = 1e-3f;

    private static IEnumerable<TestCaseData> Questions()
    {
        string models = Path.Combine(Fixtures.RepositoryRoot, "models");
        if (!Directory.Exists(models))
            yield break;
        foreach (string file in Directory.EnumerateFiles(models, "questions.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(file));
            string folder = Path.GetDirectoryName(file)!, model = Path.GetDirectoryName(folder)!;
            foreach (JsonElement question in json.RootElement.GetProperty("questions").EnumerateArray())
            {
                string image = question.GetProperty("image").GetString()!;
                int[] ids = [.. question.GetProperty("token_ids").EnumerateArray().Select(static id => id.GetInt32())];
                yield return new TestCaseData(model, Path.Combine(folder, image), Path.Combine(folder, question.GetProperty("logits_file").GetString()!), ids)
                    .SetArgDisplayNames(Path.GetFileName(model), image);
            }
        }
    }

    [TestCaseSource(nameof(Questions))]
    public void LogitsAreTheTrainingPrograms(string model, string image, string logitsFile, int[] ids)
    {
        using var loaded = new LoadedVisionModel(model, new CpuBackend());
        string question = loaded.Model.Tokenizer.Decode(ids, skipSpecialTokens: false).Split("<|vision_end|>")[1].Split("<|im_end|>")[0];
        var message = new ChatMessage(ChatRole.User, [new DataContent(File.ReadAllBytes(image), "image/png"), new TextContent(question)]);
        ModelPrompt prompt = loaded.Prompt([message]).Prompt;
        Assert.That(prompt.Tokens, Is.EqualTo(ids), question);

        DecoderSession session = loaded.Session(ids.Length);
        session.Prefill(ids, loaded.Positions(prompt, out _), loaded.Encode(prompt), 1);
        float[] found = session.Logits().ToArray(), wanted = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(logitsFile)).ToArray();
        float error = Logits.MaxError(found, wanted);
        TestContext.Out.WriteLine($"{question}: {error:E1}");
        Assert.That(error, Is.LessThanOrEqualTo(Tolerance), question);
    }
}
