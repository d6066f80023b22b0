using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// An engine file: answers as the checkpoint that it was built from, and holds the weights in a device's layout instead of matrices. Header, sizes
/// and index are checked when it is opened, small contents when they are read; weights by <see cref="Verify"/>, and their sizes by the device.
/// </summary>
internal sealed unsafe class EngineCheckpoint : Checkpoint
{
    /// <summary>The file of a folder that config is.</summary>
    public const string ConfigName = "config.json";

    private readonly MappedFile _file;
    private readonly EngineIndex _index;
    private readonly Dictionary<string, EngineSection> _weights;
    private readonly Dictionary<string, EngineSection> _files;
    private readonly Dictionary<string, EngineSection> _vectors;
    private readonly Dictionary<(string Module, int Expert), EngineMatrix> _matrices;
    private readonly HashSet<string> _modules;
    private readonly Dictionary<string, long> _parameters;
    private readonly JsonElement? _config;

    private EngineCheckpoint(MappedFile file, EngineIndex index, CheckpointTensor[] tensors)
        : base(index.Kind, file.Path, tensors)
    {
        _file = file;
        _index = index;
        Engine = new EngineInfo(index.Producer, index.Layout, index.Source, RebuildCommand(index, file.Path), index.Weights.Length, file.Length) { HeadBits = index.HeadBits };
        try
        {
            _weights = index.Weights.ToDictionary(static w => w.Name, StringComparer.Ordinal);
            _files = index.Files.ToDictionary(static f => f.Name, StringComparer.Ordinal);
            _matrices = index.Matrices.ToDictionary(static m => (m.Module, m.Expert ?? -1));
            _vectors = index.Tensors.Where(static t => t.Data is not null).ToDictionary(static t => t.Name, static t => t.Data!, StringComparer.Ordinal);
            _modules = new HashSet<string>(index.Modules, StringComparer.Ordinal);
            _parameters = index.Tensors.ToDictionary(static t => t.Name, static t => t.Parameters, StringComparer.Ordinal);
        }
        catch (ArgumentException error)
        {
            throw Broken(file.Path, index, "its index names something twice", error);
        }

        if (TryReadFile(ConfigName, out byte[]? config))
        {
            _config = ModelFolder.ParseObject(System.IO.Path.Combine(Path, ConfigName), config);
            Quantization = QuantizationConfig.Read(System.IO.Path.Combine(Path, ConfigName), _config.Value);
        }

        if (index.Metadata is { } pairs)
            Metadata = GgufFile.ParseMetadata(file.Path, Bytes(pairs), index.MetadataKeys);
        else if (Kind == CheckpointKind.Gguf)
            throw Broken(file.Path, index, "it has no metadata, which a GGUF model needs");
        if (index.Projector is { } projector)
            ProjectorMetadata = GgufFile.ParseMetadata(file.Path, Bytes(projector), index.ProjectorKeys);
    }

    public override JsonElement? Config => _config;

    public override GgufMetadata? Metadata { get; }

    public override GgufMetadata? ProjectorMetadata { get; }

    public override QuantizationConfig? Quantization { get; }

    public override EngineInfo Engine { get; }

    internal override string? Architecture => _index.Architecture;

    internal override string? ModelName => _index.ModelName;

    public static EngineCheckpoint OpenFile(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            using MappedFile.Lease lease = file.Acquire();
            ReadOnlySpan<byte> json = EngineFormat.FindIndex(lease.Pointer, file.Length, out string? problem);
            if (problem is not null)
                throw new InvalidModelException(path, null, $"{problem}; build the engine file again: portable build MODEL -o {Quoted(path)}");
            EngineIndex index = Parse(path, json);
            Check(file, index);
            return new EngineCheckpoint(file, index, ReadTensors(file, index));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override bool TryReadFile(string plainName, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = _files.TryGetValue(plainName, out EngineSection? section) ? Bytes(section) : null;
        return bytes is not null;
    }

    internal override IReadOnlyList<(string Name, byte[] Bytes)> ReadFiles(string plainFolder, string extension, int maximumFiles, long maximumBytes) =>
    [
        .. _files.Where(f => f.Key.StartsWith(plainFolder + "/", StringComparison.Ordinal) && f.Key.EndsWith(extension, StringComparison.OrdinalIgnoreCase) && f.Value.Bytes <= maximumBytes)
            .Take(maximumFiles).OrderBy(static f => f.Key, StringComparer.Ordinal).Select(f => (f.Key[(plainFolder.Length + 1)..], Bytes(f.Value))),
    ];

    public override bool HasMatrix(string module) =>
        _modules.Contains(module) || (TryGetTensor(module.Length == 0 ? "weight" : module + ".weight", out CheckpointTensor? tensor) && tensor.Shape.Count >= 2);

    public override MatrixInfo Describe(string module) => Find(module, null);

    public override MatrixInfo Describe(string module, int expert) => Find(module, expert);

    public override WeightMatrix ReadMatrix(string module) => throw NotHeld(module);

    public override WeightMatrix ReadMatrix(string module, int expert) => throw NotHeld(module);

    /// <summary>Keeps the file mapped until the result is disposed of, also when the checkpoint is disposed of meanwhile.</summary>
    internal override IDisposable KeepMapped() => _file.Keep();

    /// <summary>A weight as it lies in the file.</summary>
    internal override WeightImage Image(string key)
    {
        if (!_weights.TryGetValue(key, out EngineSection? section))
            throw Broken(Path, _index, $"it holds no weight {key}, which this program's version asks for");
        using MappedFile.Lease lease = _file.Acquire();
        return new WeightImage(Path, key, lease.Pointer + section.Offset, section.Bytes);
    }

    /// <inheritdoc/>
    public override void Verify(CancellationToken cancellation)
    {
        using MappedFile.Lease lease = _file.Acquire();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (EngineSection section in Sections(_index))
        {
            const int Most = 1 << 24;
            for (long at = 0; at < section.Bytes; at += Most)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(new ReadOnlySpan<byte>(lease.Pointer + section.Offset + at, (int)Math.Min(Most, section.Bytes - at)));
            }

            if (!Convert.ToHexString(hash.GetHashAndReset()).Equals(section.Sha256, StringComparison.Ordinal))
                throw Damaged(section);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
    }

    internal override string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types) => _index.Quantization;

    private protected override long Parameters(CheckpointTensor tensor) => _parameters[tensor.Name];

    private protected override void OnReadVector(CheckpointTensor tensor)
    {
        if (!_vectors.TryGetValue(tensor.Name, out EngineSection? section))
            throw NotHeld(tensor.Name);
        using MappedFile.Lease lease = _file.Acquire();
        Checked(section, lease.Pointer);
    }

    private static EngineIndex Parse(string path, ReadOnlySpan<byte> json)
    {
        try
        {
            return EngineIndexReader.Read(json);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException or ArgumentException)
        {
            throw new InvalidModelException(path, "index", $"it is not what this program writes: {error.Message.TrimEnd('.')}; build the engine file again: portable build MODEL -o {Quoted(path)}", error);
        }
    }

    /// <summary>Checks everything that the index says against the file, and the checkpoint where it is still there.</summary>
    private static void Check(MappedFile file, EngineIndex index)
    {
        if (!Enum.IsDefined(index.Kind) || index.HeadBits is not (null or 4 or 6) || Array.IndexOf(index.Modules, null) >= 0)
            throw Broken(file.Path, index, "its index holds impossible values");
        foreach (EngineTensor? tensor in index.Tensors)
        {
            if (tensor is null || tensor.Bytes < 0 || tensor.Parameters < 0 || tensor.Shape.Length > 8 || tensor.Shape.Any(static d => d < 0))
                throw Broken(file.Path, index, $"the entry of tensor {tensor?.Name} holds impossible values");
        }

        foreach (EngineMatrix? matrix in index.Matrices)
        {
            if (matrix is null || matrix.Rows < 0 || matrix.Columns < 0 || matrix.Columns > int.MaxValue / sizeof(float) || matrix.GroupSize < 0 || matrix.Expert is < 0
                || !Enum.IsDefined(matrix.Encoding) || !Enum.IsDefined(matrix.Offset) || matrix.Info.Format.IsPlain != (matrix.GroupSize == 0))
                throw Broken(file.Path, index, $"the entry of matrix {matrix?.Module} holds impossible values");
        }

        foreach (EngineSection? section in Sections(index))
        {
            if (section is null || section.Bytes < 0 || section.Offset < EngineFormat.HeaderBytes || section.Offset % EngineFormat.Alignment != 0 || section.Offset > file.Length - section.Bytes)
                throw Broken(file.Path, index, $"{section?.Name ?? "an entry"} does not lie in the file");
        }

        foreach (EngineSourceFile? then in index.SourceFiles)
        {
            if (then is not null && EngineSource.Sample(then.Path) is { } now && now != then)
                throw Broken(file.Path, index, $"{then.Path} is not the file any more that it was built from");
        }
    }

    private static IEnumerable<EngineSection> Sections(EngineIndex index) =>
        [.. index.Weights, .. index.Files, .. index.Tensors.Select(static t => t.Data).OfType<EngineSection>(), .. ((EngineSection?[])[index.Metadata, index.Projector]).OfType<EngineSection>()];

    private static CheckpointTensor[] ReadTensors(MappedFile file, EngineIndex index)
    {
        try
        {
            CheckpointTensor[] tensors = [.. index.Tensors.Select(t => new CheckpointTensor(t.Name, t.Shape, t.Type, file, t.Data?.Offset ?? -1, t.Bytes))];
            for (int i = 0; i < tensors.Length; i++)
            {
                if (index.Tensors[i].Data is { } data
                    && (data.Bytes != tensors[i].Bytes || PlainTensors.Encoding(tensors[i].Type) is not { } encoding || new WeightFormat(encoding).RowBytes(1) * tensors[i].Elements != data.Bytes))
                    throw Broken(file.Path, index, $"tensor {tensors[i].Name} has another size than its shape");
            }

            return tensors;
        }
        catch (OverflowException error)
        {
            throw Broken(file.Path, index, "a shape overflows 64 bits", error);
        }
    }

    private static InvalidModelException Broken(string path, EngineIndex index, string problem, Exception? inner = null) =>
        new(path, null, $"{problem}; build the engine file again: {RebuildCommand(index, path)}", inner);

    private static string RebuildCommand(EngineIndex index, string path) =>
        $"portable build {Quoted(index.Source)} -o {Quoted(path)}{index.Arguments}";

    private static string Quoted(string path) => path.Any(static c => !char.IsAsciiLetterOrDigit(c) && c is not ('/' or '\\' or '.' or '-' or '_' or ':')) ? $"\"{path}\"" : path;

    /// <summary>Contents that are small enough to be compared with their hash whenever they are read.</summary>
    private byte[] Bytes(EngineSection section)
    {
        using MappedFile.Lease lease = _file.Acquire();
        return Checked(section, lease.Pointer).ToArray();
    }

    private ReadOnlySpan<byte> Checked(EngineSection section, byte* file)
    {
        if (section.Bytes > Array.MaxLength)
            throw Broken(Path, _index, $"{section.Name} has {section.Bytes:N0} bytes");
        var bytes = new ReadOnlySpan<byte>(file + section.Offset, (int)section.Bytes);
        return Convert.ToHexString(SHA256.HashData(bytes)).Equals(section.Sha256, StringComparison.Ordinal) ? bytes : throw Damaged(section);
    }

    private InvalidModelException Damaged(EngineSection section) => Broken(Path, _index, $"{section.Name}: its bytes are not those that were written");

    private MatrixInfo Find(string module, int? expert) => _matrices.TryGetValue((module, expert ?? -1), out EngineMatrix? matrix)
        ? matrix.Info
        : throw Broken(Path, _index, $"it does not describe {module}, which this program's version asks for");

    private InvalidModelException NotHeld(string name) => Broken(Path, _index, $"it holds {name} only in the device's layout");
}
