using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using IOPath = System.IO.Path;

namespace Portable.Checkpoints;

/// <summary>A folder in Hugging Face layout, or a single safetensors file.</summary>
internal sealed class SafetensorsCheckpoint : Checkpoint
{
    private const long MaximumConfigBytes = 16 << 20;
    private const long MaximumFileBytes = 256 << 20;
    private readonly IReadOnlyList<SafetensorsFile> _files;
    private readonly JsonElement? _config;

    private SafetensorsCheckpoint(
        CheckpointKind kind, string path, IReadOnlyList<SafetensorsFile> files, IReadOnlyList<CheckpointTensor> tensors, JsonElement? config)
        : base(kind, path, tensors)
    {
        _files = files;
        _config = config;
        if (config is { } json)
            Quantization = QuantizationConfig.Read(ConfigPath(path), json);
    }

    public override JsonElement? Config => _config;

    public override QuantizationConfig? Quantization { get; }

    internal override string? Architecture => _config is not { } config ? null
        : config.TryGetProperty("architectures", out JsonElement names) && names.ValueKind == JsonValueKind.Array
            && names.GetArrayLength() > 0 && TryText(names[0], out string? first) ? first
        : config.TryGetProperty("model_type", out JsonElement type) && TryText(type, out string? text) ? text : null;

    internal override string? ModelName =>
        _config is { } config && config.TryGetProperty("_name_or_path", out JsonElement name) && TryText(name, out string? text) && text.Length > 0 ? text : null;

    public static SafetensorsCheckpoint OpenFile(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        return Create(CheckpointKind.Safetensors, path, [file], file.Tensors, null);
    }

    public static SafetensorsCheckpoint OpenFolder(string folder)
    {
        string configPath = ConfigPath(folder);
        JsonElement? config = ModelFolder.TryRead(configPath, MaximumConfigBytes) is { } bytes
            ? ModelFolder.ParseObject(configPath, bytes) : null;
        if (SafetensorsIndex.Read(folder) is { } shards)
            return OpenShards(folder, shards, config);
        string single = IOPath.Combine(folder, "model.safetensors");
        if (!File.Exists(single))
            throw new InvalidModelException(folder, null, $"the folder holds neither model.safetensors nor {SafetensorsIndex.FileName}{Advice(folder)}");
        SafetensorsFile file = SafetensorsFile.Open(single);
        return Create(CheckpointKind.HuggingFace, folder, [file], file.Tensors, config);
    }

    public override bool TryReadFile(string plainName, [NotNullWhen(true)] out byte[]? bytes)
    {
        if (!ModelFolder.IsPlainName(plainName))
            throw new ArgumentException($"\"{plainName}\" is not a plain file name", nameof(plainName));
        bytes = Kind == CheckpointKind.HuggingFace ? ModelFolder.TryRead(IOPath.Combine(Path, plainName), MaximumFileBytes) : null;
        return bytes is not null;
    }

    internal override IReadOnlyList<(string Name, byte[] Bytes)> ReadFiles(string plainFolder, string extension, int maximumFiles, long maximumBytes)
    {
        if (!ModelFolder.IsPlainName(plainFolder))
            throw new ArgumentException($"\"{plainFolder}\" is not a plain folder name", nameof(plainFolder));
        return Kind == CheckpointKind.HuggingFace ? ModelFolder.ReadAll(IOPath.Combine(Path, plainFolder), extension, maximumFiles, maximumBytes) : [];
    }

    public override bool HasMatrix(string module) =>
        QuantizedLayouts.FindMarker(this, module) is not null
        || (TryGetTensor(TensorName(module, "weight"), out CheckpointTensor? tensor) && tensor.Shape.Count >= 2);

    public override MatrixInfo Describe(string module)
    {
        if (QuantizedLayouts.FindMarker(this, module) is { } marker)
            return QuantizedLayouts.For(this, marker).Describe(this, module);
        (CheckpointTensor tensor, WeightEncoding encoding) = Plain(module);
        (int rows, int columns) = tensor.MatrixShape();
        return new MatrixInfo(module, rows, columns, new WeightFormat(encoding), false, tensor.Name);
    }

    public override WeightMatrix ReadMatrix(string module)
    {
        if (QuantizedLayouts.FindMarker(this, module) is { } marker)
            return QuantizedLayouts.For(this, marker).Read(this, module);
        (CheckpointTensor tensor, WeightEncoding encoding) = Plain(module);
        return PlainTensors.Matrix(tensor, encoding);
    }

    public override MatrixInfo Describe(string module, int expert)
    {
        if (Mxfp4Experts.Find(this, module) is { } blocks)
            return Mxfp4Experts.Describe(this, module, blocks, expert);
        (CheckpointTensor tensor, WeightEncoding encoding) = PlainExperts(module);
        (int rows, int columns) = tensor.ExpertShape(expert);
        return new MatrixInfo(module, rows, columns, new WeightFormat(encoding), false, tensor.Name);
    }

    public override WeightMatrix ReadMatrix(string module, int expert)
    {
        if (Mxfp4Experts.Find(this, module) is { } blocks)
            return Mxfp4Experts.Read(this, module, blocks, expert);
        (CheckpointTensor tensor, WeightEncoding encoding) = PlainExperts(module);
        return PlainTensors.Expert(tensor, encoding, expert);
    }

    /// <summary>A tensor of a module; the empty module is that of a file with a single one.</summary>
    internal static string TensorName(string module, string tensor) => module.Length == 0 ? tensor : $"{module}.{tensor}";

    /// <summary>A tensor that must exist, of one of some types and of two dimensions.</summary>
    internal CheckpointTensor RequiredMatrix(string name, params ReadOnlySpan<string> types)
    {
        CheckpointTensor tensor = Required(name);
        if (tensor.Shape.Count != 2)
            throw new InvalidModelException(tensor.File, name, $"the shape is [{string.Join(", ", tensor.Shape)}], expected 2 dimensions");
        if (!types.Contains(tensor.Type))
            throw new InvalidModelException(tensor.File, name, $"the type is {tensor.Type}, expected {string.Join(" or ", types!)}");
        return tensor;
    }

    protected override void Dispose(bool disposing)
    {
        foreach (SafetensorsFile file in _files)
            file.Dispose();
    }

    internal override string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types) => Quantization?.ToString();

    private protected override long Parameters(CheckpointTensor tensor) => QuantizedLayouts.Parameters(this, tensor);

    private static SafetensorsCheckpoint OpenShards(string folder, Dictionary<string, HashSet<string>> shards, JsonElement? config)
    {
        var files = new List<SafetensorsFile>(shards.Count);
        try
        {
            var tensors = new List<CheckpointTensor>();
            foreach ((string name, HashSet<string> expected) in shards.OrderBy(static s => s.Key, StringComparer.Ordinal))
            {
                SafetensorsFile file = SafetensorsFile.Open(IOPath.Combine(folder, name));
                files.Add(file);
                // What the index does not name is not part of the model.
                foreach (CheckpointTensor tensor in file.Tensors)
                {
                    if (expected.Remove(tensor.Name))
                        tensors.Add(tensor);
                }

                if (expected.Count > 0)
                    throw new InvalidModelException(IOPath.Combine(folder, name), expected.First(), $"the tensor is missing; {SafetensorsIndex.FileName} says that it is in this file");
            }

            return Create(CheckpointKind.HuggingFace, folder, files, tensors, config);
        }
        catch
        {
            files.ForEach(static file => file.Dispose());
            throw;
        }
    }

    private static SafetensorsCheckpoint Create(
        CheckpointKind kind, string path, IReadOnlyList<SafetensorsFile> files, IReadOnlyList<CheckpointTensor> tensors, JsonElement? config)
    {
        try
        {
            return new SafetensorsCheckpoint(kind, path, files, tensors, config);
        }
        catch
        {
            foreach (SafetensorsFile file in files)
                file.Dispose();
            throw;
        }
    }

    private static string ConfigPath(string folder) => IOPath.Combine(folder, "config.json");

    private static string Advice(string folder)
    {
        string? Any(string pattern) => Directory.EnumerateFiles(folder, pattern).Select(IOPath.GetFileName).Order(StringComparer.Ordinal).FirstOrDefault();
        return File.Exists(IOPath.Combine(folder, "adapter_config.json"))
                ? "; it is a LoRA adapter (adapter_config.json), which is not a model by itself: merge it into its base model, and name the result"
            : Any("*.gguf") is { } gguf ? $"; to use {gguf}, name that file"
            : Any("*.safetensors") is { } other ? $"; it has {other}: name that file, or rename it"
            : Any("*.bin") is { } pickle ? $"; {pickle} is a pickle, which is not read: convert it to safetensors"
            : "; is it the folder of a model, wholly downloaded";
    }

    private static bool TryText(JsonElement element, [NotNullWhen(true)] out string? text)
    {
        try
        {
            text = element.ValueKind == JsonValueKind.String ? element.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            text = null;
        }

        return text is not null;
    }

    private (CheckpointTensor Tensor, WeightEncoding Encoding) PlainExperts(string module) =>
        TryGetTensor(module, out CheckpointTensor? tensor) ? Plain(tensor) : Plain(module);

    private (CheckpointTensor Tensor, WeightEncoding Encoding) Plain(string module) => Plain(Required(TensorName(module, "weight")));

    private (CheckpointTensor Tensor, WeightEncoding Encoding) Plain(CheckpointTensor tensor)
    {
        if (PlainTensors.Encoding(tensor.Type) is { } encoding)
            return (tensor, encoding);
        string declared = Quantization is null ? "" : $" (quantization_config: {Quantization})";
        throw new UnsupportedException(
            $"type {tensor.Type} of tensor {tensor.Name}{declared} in {tensor.File}", "plain weights are read from F32, F16 and BF16");
    }
}
