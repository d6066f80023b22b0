using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Checkpoints;

namespace Portable.Quantization;

/// <summary>
/// Turns a 16- or 32-bit Hugging Face folder into a 4-bit one in AutoAWQ's GEMM layout: an ordinary checkpoint with the same tokenizer, templates and
/// preprocessor, which every engine that reads AutoAWQ takes. One matrix is in memory at a time. Thread-safe, without state.
/// </summary>
public static class CheckpointQuantizer
{
    private const string TemplateFolder = "additional_chat_templates";
    private static readonly string[] s_copied = [".json", ".jinja", ".txt", ".model", ".tiktoken", ".py"];
    private static readonly string[] s_ownFiles = ["config.json", "model.safetensors.index.json", "figures.json"];

    /// <summary>Quantises a checkpoint.</summary>
    /// <param name="source">The folder of the model.</param>
    /// <param name="destination">The folder to make; it must not exist, or be empty. It appears only when it is whole.</param>
    /// <param name="options">What and how.</param>
    /// <param name="progress">Told before each tensor; may be null.</param>
    /// <param name="cancellation">Stops between two tensors and leaves nothing behind.</param>
    /// <exception cref="InvalidModelException">The source is broken, or a weight is not finite.</exception>
    /// <exception cref="UnsupportedException">The source is not a Hugging Face folder, is quantised already, or has nothing to quantise.</exception>
    /// <exception cref="InvalidInputException">The destination, or it with <c>.partial</c> after its name, exists, or an option makes no sense.</exception>
    /// <exception cref="IOException">The disk is full or cannot be written.</exception>
    public static QuantizeSummary Quantize(
        string source, string destination, QuantizeOptions options, IProgress<QuantizeProgress>? progress, CancellationToken cancellation)
    {
        if (options.GroupSize is not (32 or 64 or 128))
            throw new InvalidInputException("group size", string.Create(CultureInfo.InvariantCulture, $"{options.GroupSize}, expected 32, 64 or 128"));
        if (File.Exists(destination) || (Directory.Exists(destination) && Directory.EnumerateFileSystemEntries(destination).Any()))
            throw new InvalidInputException(destination, "it exists already; name a folder that does not, or remove it");
        using Checkpoint checkpoint = Checkpoint.Open(source);
        if (checkpoint.Kind != CheckpointKind.HuggingFace || checkpoint.Config is not { } config)
            throw new UnsupportedException($"Quantising {source}", "the source is a Hugging Face folder: config.json and safetensors files of 16 or 32 bits");
        if (checkpoint.Quantization is { } already)
            throw new UnsupportedException($"Quantising {source}", $"it is quantised already ({already}); start from the 16-bit model");

        string partial = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination)) + ".partial";
        if (Directory.Exists(partial))
            throw new InvalidInputException(partial, "it exists already: what an interrupted run left, or a folder of yours; remove or rename it");
        Directory.CreateDirectory(partial);
        try
        {
            QuantizeSummary summary = Write(checkpoint, config, source, partial, destination, options, progress, cancellation);
            if (Directory.Exists(destination))
                Directory.Delete(destination);
            Directory.Move(partial, destination);
            return summary;
        }
        catch
        {
            Directory.Delete(partial, recursive: true);
            throw;
        }
    }

    private static QuantizeSummary Write(
        Checkpoint checkpoint, JsonElement config, string source, string folder, string destination,
        QuantizeOptions options, IProgress<QuantizeProgress>? progress, CancellationToken cancellation)
    {
        var entries = new List<SafetensorsEntry>();
        var left = new SortedSet<string>(StringComparer.Ordinal);
        int matrices = 0, kept = 0;
        long weights = 0, before = checkpoint.Tensors.Sum(static t => t.Bytes), done = 0;
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            void Report(string name)
            {
                progress?.Report(new QuantizeProgress(name, before == 0 ? 1 : (double)done / before));
                done += tensor.Bytes;
            }

            LinearLayers.Part part = LinearLayers.Classify(tensor);
            bool wanted = part == LinearLayers.Part.Decoder || (part == LinearLayers.Part.Vision && options.IncludesVision);
            if (wanted && tensor.Shape[1] % options.GroupSize == 0 && tensor.Shape[0] % AwqModule.CodesPerWord == 0 && tensor.Elements > 0)
            {
                matrices++;
                weights += tensor.Elements;
                AddQuantized(checkpoint, tensor, options, entries, Report, cancellation);
                continue;
            }

            if (part != LinearLayers.Part.None)
                left.Add(wanted || part == LinearLayers.Part.Kept ? LinearLayers.Module(tensor) : VisionRoot(tensor.Name));
            kept++;
            entries.Add(new SafetensorsEntry(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes, stream =>
            {
                Report(tensor.Name);
                checkpoint.CopyTo(tensor, stream);
            }));
        }

        if (matrices == 0)
        {
            throw new UnsupportedException(
                $"Quantising {source}", $"it has no linear layer whose inputs are a multiple of the group size {options.GroupSize} and whose outputs are one of {AwqModule.CodesPerWord}");
        }

        SafetensorsWriter.WriteModel(folder, entries, options.ShardBytes, cancellation);
        WriteConfig(config, folder, options, left);
        foreach (string file in Directory.EnumerateFiles(source))
        {
            string name = Path.GetFileName(file);
            // Mistral's tokenizer.model.v3 and the like have their version for an extension.
            if ((s_copied.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase) || name.StartsWith("tokenizer.model.", StringComparison.OrdinalIgnoreCase))
                && !s_ownFiles.Contains(name, StringComparer.OrdinalIgnoreCase))
                File.Copy(file, Path.Combine(folder, name));
        }

        string templates = Path.Combine(source, TemplateFolder);
        if (Directory.Exists(templates))
        {
            Directory.CreateDirectory(Path.Combine(folder, TemplateFolder));
            foreach (string file in Directory.EnumerateFiles(templates, "*.jinja"))
                File.Copy(file, Path.Combine(folder, TemplateFolder, Path.GetFileName(file)));
        }

        return new QuantizeSummary(destination, matrices, weights, kept, before, entries.Sum(static e => e.Bytes), [.. left]);
    }

    private static void AddQuantized(
        Checkpoint checkpoint, CheckpointTensor tensor, QuantizeOptions options, List<SafetensorsEntry> entries, Action<string> report, CancellationToken cancellation)
    {
        string module = LinearLayers.Module(tensor);
        (int outputs, int inputs) = (checked((int)tensor.Shape[0]), checked((int)tensor.Shape[1]));
        long words = outputs / AwqModule.CodesPerWord, groups = inputs / options.GroupSize;
        // The three tensors are written one after another, so that the matrix is quantised for the first and let go after the last.
        AwqModule? packed = null;
        AwqModule Packed()
        {
            if (packed is null)
            {
                report(module);
                packed = new AwqModule(tensor.File, module, outputs, inputs, options.GroupSize);
                using WeightMatrix matrix = checkpoint.ReadMatrix(module);
                packed.Fill(matrix, options.Quantizer, cancellation);
            }

            return packed;
        }

        entries.Add(new($"{module}.qweight", "I32", [inputs, words], inputs * words * sizeof(int), stream => Packed().WriteCodes(stream)));
        entries.Add(new($"{module}.qzeros", "I32", [groups, words], groups * words * sizeof(int), stream => Packed().WriteZeros(stream)));
        entries.Add(new($"{module}.scales", "F16", [groups, outputs], groups * outputs * sizeof(short), stream =>
        {
            Packed().WriteScales(stream);
            packed = null;
        }));
    }

    // The tower as a whole, as AutoAWQ names it in modules_to_not_convert.
    private static string VisionRoot(string name)
    {
        string[] parts = name.Split('.');
        int root = Array.FindIndex(parts, static p => p is not ("model" or "language_model"));
        return parts[Math.Max(0, root)];
    }

    private static void WriteConfig(JsonElement config, string folder, QuantizeOptions options, IEnumerable<string> left)
    {
        JsonObject json = JsonObject.Create(config)!;
        var section = new JsonObject
        {
            ["quant_method"] = "awq",
            ["version"] = "gemm",
            ["bits"] = 4,
            ["group_size"] = options.GroupSize,
            ["zero_point"] = true,
            ["modules_to_not_convert"] = new JsonArray([.. left.Select(static name => (JsonNode)name)]),
        };
        json["quantization_config"] = section;
        using FileStream stream = File.Create(Path.Combine(folder, "config.json"));
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteTo(writer);
    }
}
