using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Backends.Cpu;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Testing.Foreign;
using Portable.Vision;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>A checkpoint's vision part is untrusted: what is broken is named by file and field, before anything is loaded.</summary>
[TestFixture]
[Category("Golden")]
public sealed class VisionConfigTests
{
    private static IEnumerable<TestCaseData> BrokenFields()
    {
        (string Field, string? Json)[] changes =
        [
            ("num_heads", "4099"), ("num_heads", "0"), ("num_heads", "\"four\""), ("num_heads", "[]"), ("depth", "-1"), ("depth", "100000"), ("depth", null),
            ("patch_size", "13"), ("patch_size", "1e9"), ("spatial_merge_size", "3"), ("temporal_patch_size", "0"), ("num_heads", null),
        ];
        return from model in VisionCases.Models()
               where model.Arguments[0] is string
               from change in changes
               where IsGrid((string)model.Arguments[0]!) || change.Field is "num_heads" or "depth" || change.Json == "1e9"
               select new TestCaseData(model.Arguments[0], change.Field, change.Json)
                   .SetArgDisplayNames(Path.GetFileName((string)model.Arguments[0]!), change.Field, change.Json ?? "absent");
    }

    private static bool IsGrid(string folder)
    {
        using JsonDocument config = Fixtures.Json(Path.Combine(folder, "config.json"));
        return VisionFamily.OfModelType(config.RootElement.GetProperty("model_type").GetString()!)!.Layout == ImageLayoutKind.Grid;
    }

    [TestCaseSource(nameof(BrokenFields))]
    public void ABrokenFieldOfTheVisionConfigIsNamed(string folder, string field, string? json)
    {
        using var copy = new CheckpointCopy(folder);
        copy.Edit("config.json", root =>
        {
            VisionFamily family = VisionFamily.OfModelType((string)root["model_type"]!)!;
            field = field switch { "num_heads" => family.HeadsField, "depth" => family.LayersField, _ => field };
            JsonObject vision = root["vision_config"]!.AsObject();
            vision.Remove(field);
            if (json is not null)
                vision[field] = JsonNode.Parse(json);
        });
        Assert.That(copy.Describe, Throws.TypeOf<InvalidModelException>().With.Message.Contains(field.Replace("spatial_", "")));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void HeadsThatTheRopeCannotRotateAreNamed(string folder)
    {
        string field = "";
        using var copy = new CheckpointCopy(folder);
        copy.Edit("config.json", root =>
        {
            VisionFamily family = VisionFamily.OfModelType((string)root["model_type"]!)!;
            field = family.HeadsField;
            root["vision_config"]![field] = (int)root["vision_config"]![family.WidthField]!;
        });
        Assert.That(copy.Describe, Throws.TypeOf<InvalidModelException>().With.Property("Where").EqualTo($"vision_config.{field}"));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void AnUnknownActivationIsUnsupportedByName(string folder)
    {
        using var copy = new CheckpointCopy(folder);
        copy.Edit("config.json", root => root["vision_config"]!["hidden_act"] = "mish");
        Assert.That(copy.Describe, Throws.TypeOf<UnsupportedException>().With.Message.Contains("'mish'"));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void AnImageTokenOutsideTheVocabularyOrAbsentIsNamed(string folder)
    {
        using var copy = new CheckpointCopy(folder);
        string field = "";
        copy.Edit("config.json", root => root[field = root.ContainsKey("image_token_index") ? "image_token_index" : "image_token_id"] = 1_000_000);
        Assert.That(copy.Describe, Throws.TypeOf<InvalidModelException>().With.Property("Where").EqualTo(field));
        copy.Edit("config.json", root => root.Remove(field));
        Assert.That(copy.Describe, Throws.TypeOf<InvalidModelException>().With.Property("Where").EqualTo("image_token_id"));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void AMissingProcessorFileIsNamed(string folder)
    {
        using var copy = new CheckpointCopy(folder);
        copy.Delete("preprocessor_config.json");
        copy.Delete("processor_config.json");
        Assert.That(copy.Describe, Throws.TypeOf<InvalidModelException>().With.Property("Where").EqualTo("preprocessor_config.json"));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void AWidthThatTheTensorsDoNotHaveIsNamedByTensorAndNothingStaysAllocated(string folder)
    {
        string tensor = "";
        using var copy = new CheckpointCopy(folder);
        copy.Edit("config.json", root =>
        {
            VisionFamily family = VisionFamily.OfModelType((string)root["model_type"]!)!;
            tensor = family.Tensors.PatchEmbedding + ".weight";
            root["vision_config"]![family.WidthField] = 2 * (int)root["vision_config"]![family.WidthField]!;
        });

        Assert.That(
            () => PortableModel.LoadAsync(
                new ModelOptions { Path = copy.Path }, new BackendSelector([new CpuBackend()]), imageEncoders: [new ImageEncoderFactory()]),
            Throws.TypeOf<InvalidModelException>().With.Property("Where").Contains(tensor));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task ALoadThatIsCancelledInTheTowerFreesEverything(string folder)
    {
        var whole = new CancelAfter(null, int.MaxValue);
        (await Load(new ForeignBackend(), whole, default)).Dispose();

        // The tower is loaded last.
        var backend = new ForeignBackend();
        using var cancel = new CancellationTokenSource();
        Assert.That(() => Load(backend, new CancelAfter(cancel, whole.Reports - 2), cancel.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(backend.Leaks, Is.Empty);

        Task<PortableModel> Load(ForeignBackend device, CancelAfter progress, CancellationToken cancellation) => PortableModel.LoadAsync(
            new ModelOptions { Path = folder, Backend = device.Id }, new BackendSelector([device]), imageEncoders: [new ImageEncoderFactory()],
            progress: progress, cancellation: cancellation);
    }

    private sealed class CancelAfter(CancellationTokenSource? source, int stillAllowed) : IProgress<LoadProgress>
    {
        public int Reports { get; private set; }

        public void Report(LoadProgress value)
        {
            if (++Reports == stillAllowed)
                source?.Cancel();
        }
    }

    /// <summary>A checkpoint's files in a folder of their own, to be damaged.</summary>
    private sealed class CheckpointCopy : IDisposable
    {
        public CheckpointCopy(string folder)
        {
            Path = Directory.CreateTempSubdirectory("portable-vision-").FullName;
            foreach (string file in Directory.EnumerateFiles(folder).Where(f => !System.IO.Path.GetFileName(f).StartsWith("golden", StringComparison.Ordinal)))
                File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        }

        public string Path { get; }

        public void Edit(string file, Action<JsonObject> change)
        {
            string path = System.IO.Path.Combine(Path, file);
            JsonObject root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            change(root);
            File.Delete(path);
            File.WriteAllText(path, root.ToJsonString());
        }

        public void Delete(string file) => File.Delete(System.IO.Path.Combine(Path, file));

        public void Describe()
        {
            using Checkpoint checkpoint = Checkpoint.Open(Path);
            new ImageEncoderFactory().Describe(checkpoint);
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
