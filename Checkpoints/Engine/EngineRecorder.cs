using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using IOPath = System.IO.Path;

namespace Portable.Checkpoints;

/// <summary>
/// A checkpoint from which an engine file is being built: passes every question on and remembers the answers, and writes what is not a matrix
/// (vectors, small files, metadata) when the model has been read. Owns the checkpoint behind it. Questions may come from several threads.
/// </summary>
internal sealed class EngineRecorder : Checkpoint
{
    private readonly Checkpoint _source;
    private readonly EngineSourceFile?[] _before;
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Module, int Expert), EngineMatrix> _matrices = [];
    private readonly SortedSet<string> _modules = new(StringComparer.Ordinal);
    private readonly HashSet<string> _vectors = new(StringComparer.Ordinal);

    public EngineRecorder(Checkpoint source)
        : base(source.Kind, source.Path, source.Tensors)
    {
        _source = source;
        _before = [.. WeightFiles().Select(EngineSource.Sample)];
    }

    public override JsonElement? Config => _source.Config;

    public override GgufMetadata? Metadata => _source.Metadata;

    public override GgufMetadata? ProjectorMetadata => _source.ProjectorMetadata;

    public override QuantizationConfig? Quantization => _source.Quantization;

    internal override string? Architecture => _source.Architecture;

    internal override string? ModelName => _source.ModelName;

    public override bool TryReadFile(string plainName, [NotNullWhen(true)] out byte[]? bytes)
    {
        bool isThere = _source.TryReadFile(plainName, out bytes);
        if (isThere)
        {
            lock (_gate)
                _files[plainName] = bytes!;
        }

        return isThere;
    }

    internal override IReadOnlyList<(string Name, byte[] Bytes)> ReadFiles(string plainFolder, string extension, int maximumFiles, long maximumBytes)
    {
        IReadOnlyList<(string Name, byte[] Bytes)> files = _source.ReadFiles(plainFolder, extension, maximumFiles, maximumBytes);
        lock (_gate)
        {
            foreach ((string name, byte[] bytes) in files)
                _files[$"{plainFolder}/{name}"] = bytes;
        }

        return files;
    }

    /// <summary>Puts a file into the engine file, instead of the one of that name that was read.</summary>
    public void Put(string name, byte[] bytes)
    {
        lock (_gate)
            _files[name] = bytes;
    }

    public override bool HasMatrix(string module)
    {
        bool hasOne = _source.HasMatrix(module);
        if (hasOne)
        {
            lock (_gate)
                _modules.Add(module);
        }

        return hasOne;
    }

    public override MatrixInfo Describe(string module) => Remember(_source.Describe(module), null);

    public override MatrixInfo Describe(string module, int expert) => Remember(_source.Describe(module, expert), expert);

    public override WeightMatrix ReadMatrix(string module) => _source.ReadMatrix(module);

    public override WeightMatrix ReadMatrix(string module, int expert) => _source.ReadMatrix(module, expert);

    /// <summary>Writes what was asked for, and the index.</summary>
    /// <param name="writer">The file, which holds the weights already.</param>
    /// <param name="layout">The device's layout.</param>
    /// <param name="arguments">The options of the build.</param>
    /// <param name="headBits">Bits that the output matrix was rounded to, or null.</param>
    /// <param name="weights">Where the weights are.</param>
    /// <param name="cancellation">Cancels.</param>
    public void Finish(EngineFileWriter writer, string layout, string arguments, int? headBits, IReadOnlyList<EngineSection> weights, CancellationToken cancellation)
    {
        // A folder's config.json is read when it is opened, which nobody asks for again.
        if (Kind == CheckpointKind.HuggingFace)
            TryReadFile(EngineCheckpoint.ConfigName, out _);
        EngineTensor[] tensors =
        [
            .. Tensors.Select(tensor =>
            {
                cancellation.ThrowIfCancellationRequested();
                return new EngineTensor(
                    tensor.Name, [.. tensor.Shape], tensor.Type, tensor.Bytes, _source.ParameterCount(tensor),
                    _vectors.Contains(tensor.Name) ? writer.Write(tensor.Name, stream => CopyTo(tensor, stream)) : null);
            }),
        ];
        EngineSection[] files = [.. _files.Select(file => writer.Write(file.Key, stream => stream.Write(file.Value)))];
        EngineSection? metadata = WritePairs("metadata", Metadata), projector = WritePairs("projector", ProjectorMetadata);
        cancellation.ThrowIfCancellationRequested();
        foreach ((string path, EngineSourceFile? then) in WeightFiles().Zip(_before))
        {
            if (EngineSource.Sample(path) != then)
                throw new InvalidModelException(path, null, "the file changed while the engine file was built; build it again when nothing writes to it");
        }

        IEnumerable<string> paths = Tensors.Select(static t => t.File).Distinct(StringComparer.Ordinal).Concat(_files.Keys.Select(name => IOPath.Combine(Path, name)).Where(File.Exists));
        writer.Finish(new EngineIndex
        {
            Producer = $"Portable {typeof(EngineRecorder).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}",
            Layout = layout,
            Kind = Kind,
            Source = IOPath.GetFullPath(Path),
            Arguments = arguments,
            HeadBits = headBits,
            Architecture = Architecture,
            ModelName = ModelName,
            Quantization = _source.Summarize().Quantization,
            SourceFiles = [.. paths.Select(static path => EngineSource.Sample(IOPath.GetFullPath(path))).OfType<EngineSourceFile>()],
            Weights = [.. weights],
            Files = files,
            Metadata = metadata,
            MetadataKeys = Metadata?.Keys.Count ?? 0,
            Projector = projector,
            ProjectorKeys = ProjectorMetadata?.Keys.Count ?? 0,
            Tensors = tensors,
            Matrices = [.. _matrices.Values.OrderBy(static m => m.Module, StringComparer.Ordinal).ThenBy(static m => m.Expert ?? -1)],
            Modules = [.. _modules],
        });

        EngineSection? WritePairs(string name, GgufMetadata? pairs) => pairs is null ? null : writer.Write(name, stream => stream.Write(pairs.Bytes.Span));
    }

    private IEnumerable<string> WeightFiles() => Tensors.Select(static t => IOPath.GetFullPath(t.File)).Distinct(StringComparer.Ordinal);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _source.Dispose();
    }

    internal override string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types) => _source.QuantizationText(types);

    private protected override void OnReadVector(CheckpointTensor tensor)
    {
        lock (_gate)
            _vectors.Add(tensor.Name);
    }

    private MatrixInfo Remember(MatrixInfo info, int? expert)
    {
        lock (_gate)
        {
            _matrices[(info.Module, expert ?? -1)] = new EngineMatrix(
                info.Module, expert, info.Rows, info.Columns, info.Format.Encoding, info.Format.GroupSize, info.Format.Offset, info.HasGroupIndex, info.TensorName);
        }

        return info;
    }
}
