using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using IOPath = System.IO.Path;

namespace Portable.Checkpoints;

/// <summary>
/// A model on disk: its tensors, its config or metadata, and its weights as canonical matrices. Files are mapped
/// read-only and nothing is read before it is asked for. Everything in the files is untrusted and checked when the
/// checkpoint is opened. All members are thread-safe. The checkpoint owns the mappings: a <see cref="WeightMatrix"/>
/// of plain floats may borrow its memory from them and must not be used after <see cref="Dispose()"/>.
/// </summary>
public abstract class Checkpoint : IDisposable
{
    private readonly Dictionary<string, CheckpointTensor> _byName;

    private protected Checkpoint(CheckpointKind kind, string path, IReadOnlyList<CheckpointTensor> tensors)
    {
        Kind = kind;
        Path = path;
        Tensors = tensors;
        _byName = new Dictionary<string, CheckpointTensor>(tensors.Count, StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in tensors)
        {
            if (!_byName.TryAdd(tensor.Name, tensor))
                throw new InvalidModelException(tensor.File, tensor.Name, $"the tensor occurs twice, also in {_byName[tensor.Name].File}");
        }
    }

    /// <summary>What it was opened from.</summary>
    public CheckpointKind Kind { get; }

    /// <summary>The file or folder, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>All tensors, in the order of the files.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>config.json, a JSON object; null where there is none.</summary>
    public virtual JsonElement? Config => null;

    /// <summary>The metadata of a GGUF file (of the first part of a split one); null for other kinds.</summary>
    public virtual GgufMetadata? Metadata => null;

    /// <summary>The metadata of the projector file (mmproj) that was opened with a GGUF file; its tensors are among <see cref="Tensors"/>. Else null.</summary>
    public virtual GgufMetadata? ProjectorMetadata => null;

    /// <summary>The quantisation that config.json declares; null where it declares none.</summary>
    public virtual QuantizationConfig? Quantization => null;

    /// <summary>What an engine file says of itself; null for other kinds. <see cref="Kind"/> is that of the checkpoint that it was built from.</summary>
    public virtual EngineInfo? Engine => null;

    /// <summary>
    /// Opens a folder with safetensors weights (one file, or shards named by model.safetensors.index.json), a GGUF
    /// file or any part of a split one, a single safetensors file, or an engine file.
    /// </summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="projectorPath">The projector file (mmproj) that goes with a GGUF file, or null.</param>
    /// <exception cref="InvalidModelException">There is no such file, or it is broken or contradicts itself.</exception>
    /// <exception cref="UnsupportedException">The file is sound but of a version or byte order that is not read.</exception>
    public static Checkpoint Open(string path, string? projectorPath = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        bool isGguf = GgufFile.HasMagic(path) || HasExtension(path, ".gguf");
        if (projectorPath is not null && !(File.Exists(path) && isGguf))
            throw new InvalidModelException(path, null, $"it is no GGUF file, and a projector file was named with it ({projectorPath}); only GGUF files have their vision part apart");
        if (Directory.Exists(path))
            return SafetensorsCheckpoint.OpenFolder(path);
        if (!File.Exists(path))
        {
            throw new InvalidModelException(
                path, null, "no such file or folder; name a folder with config.json and safetensors files, a .gguf file or a .safetensors file");
        }

        return EngineFormat.HasMagic(path) ? EngineCheckpoint.OpenFile(path)
            : isGguf ? GgufCheckpoint.OpenFile(path, projectorPath)
            : HasExtension(path, ".safetensors") ? SafetensorsCheckpoint.OpenFile(path)
            : throw new InvalidModelException(
                path, null, "neither a GGUF file (it does not begin with \"GGUF\") nor named .safetensors; for a Hugging Face model name its folder");
    }

    /// <summary>Finds a tensor by its full name.</summary>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>
    /// Reads a small file of the model's folder, such as tokenizer.json; false where it does not exist or the
    /// checkpoint is a single file.
    /// </summary>
    /// <param name="plainName">A file name without any folder.</param>
    /// <param name="bytes">The whole file.</param>
    /// <exception cref="InvalidModelException">The file is larger than 256 MiB or cannot be read.</exception>
    public virtual bool TryReadFile(string plainName, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        return false;
    }

    /// <summary>
    /// Reads the small files of one extension in a folder of the model's folder, in ordinal order of their names; none where there is no such
    /// folder or the checkpoint is a single file.
    /// </summary>
    /// <param name="plainFolder">The folder's name without any other folder.</param>
    /// <param name="extension">With its dot.</param>
    /// <param name="maximumFiles">How many there may be.</param>
    /// <param name="maximumBytes">How long each may be.</param>
    /// <exception cref="InvalidModelException">There are more, or longer ones, or they cannot be read.</exception>
    internal virtual IReadOnlyList<(string Name, byte[] Bytes)> ReadFiles(string plainFolder, string extension, int maximumFiles, long maximumBytes) => [];

    /// <summary>Whether <see cref="ReadMatrix(string)"/> finds weights, plain or quantised, for a module.</summary>
    /// <param name="module">The name without its last part, <c>.weight</c> or <c>.qweight</c>.</param>
    public abstract bool HasMatrix(string module);

    /// <summary>Shape and canonical format of a module's weights, checked but not read.</summary>
    /// <inheritdoc cref="ReadMatrix(string)" path="/param"/>
    /// <inheritdoc cref="ReadMatrix(string)" path="/exception"/>
    public abstract MatrixInfo Describe(string module);

    /// <summary>
    /// Reads a module's weights into the canonical form, without loss. Tensors with more than two dimensions become
    /// [first, all others]. The caller disposes of the matrix, before the checkpoint.
    /// </summary>
    /// <param name="module">The name without its last part, <c>.weight</c> or <c>.qweight</c>: <c>model.layers.0.mlp.up_proj</c>, or <c>blk.0.ffn_up</c> in GGUF.</param>
    /// <exception cref="InvalidModelException">The module is absent, or its tensors disagree with each other or with the config.</exception>
    /// <exception cref="UnsupportedException">Its type or quantisation is not read; the message names both.</exception>
    public abstract WeightMatrix ReadMatrix(string module);

    /// <summary>As <see cref="Describe(string)"/>, for one expert of a module whose tensor holds all of them.</summary>
    /// <inheritdoc cref="ReadMatrix(string, int)" path="/param"/>
    /// <inheritdoc cref="ReadMatrix(string, int)" path="/exception"/>
    public abstract MatrixInfo Describe(string module, int expert);

    /// <summary>
    /// As <see cref="ReadMatrix(string)"/>, for one expert of a module whose tensor holds all of them, [experts, outputs,
    /// inputs]: GGUF's <c>blk.0.ffn_up_exps</c>, gpt-oss's <c>model.layers.0.mlp.experts.gate_up_proj</c> (MXFP4 blocks).
    /// </summary>
    /// <param name="module">The name without its last part, <c>.weight</c> or <c>_blocks</c>; a tensor of this very name will do.</param>
    /// <param name="expert">The expert, from 0.</param>
    /// <exception cref="InvalidModelException">The module or the expert is absent, or its tensors disagree with each other.</exception>
    /// <exception cref="UnsupportedException">Its type is not read; the message names it.</exception>
    public abstract WeightMatrix ReadMatrix(string module, int expert);

    /// <summary>Reads a norm weight, a bias or another small tensor (F32, F16, BF16) as float32, row-major; false where it is absent.</summary>
    /// <param name="tensorName">The full name, such as <c>model.norm.weight</c>.</param>
    /// <param name="values">All values.</param>
    /// <exception cref="UnsupportedException">The tensor is of another type.</exception>
    public bool TryReadVector(string tensorName, [NotNullWhen(true)] out float[]? values)
    {
        values = TryGetTensor(tensorName, out CheckpointTensor? tensor) ? Values(tensor) : null;
        return values is not null;
    }

    /// <summary>As <see cref="TryReadVector"/>, for a tensor that must exist and have a certain number of values.</summary>
    /// <exception cref="InvalidModelException">The tensor is absent or of another length.</exception>
    /// <exception cref="UnsupportedException">The tensor is of another type.</exception>
    public float[] ReadVector(string tensorName, int expectedLength)
    {
        CheckpointTensor tensor = Required(tensorName);
        if (tensor.Elements != expectedLength)
        {
            throw new InvalidModelException(
                tensor.File, tensorName, $"the shape is [{string.Join(", ", tensor.Shape)}], expected {expectedLength} values");
        }

        return Values(tensor);
    }

    /// <summary>Copies a tensor's data as it is stored.</summary>
    /// <param name="tensor">A tensor of this checkpoint.</param>
    /// <param name="destination">Receives its bytes.</param>
    public unsafe void CopyTo(CheckpointTensor tensor, Stream destination)
    {
        const int Most = 1 << 24;
        using MappedFile.Lease lease = tensor.Source.Acquire();
        for (long at = 0; at < tensor.Bytes; at += Most)
            destination.Write(new ReadOnlySpan<byte>(lease.Pointer + tensor.Position + at, (int)Math.Min(Most, tensor.Bytes - at)));
    }

    /// <summary>Describes the checkpoint, whatever its architecture.</summary>
    public CheckpointSummary Summarize()
    {
        CheckpointTypeSummary[] types =
        [
            .. Tensors.GroupBy(static t => t.Type)
                .Select(static g => new CheckpointTypeSummary(g.Key, g.Count(), g.Sum(static t => t.Bytes)))
                .OrderByDescending(static t => t.Bytes).ThenBy(static t => t.Type, StringComparer.Ordinal),
        ];
        return new CheckpointSummary(
            Kind, Architecture, ModelName, QuantizationText(types), Tensors.Sum(Parameters), Tensors.Count,
            Tensors.Sum(static t => t.Bytes), types, [.. Tensors.Select(static t => t.File).Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>
    /// Compares the contents of an engine file with the hashes that it carries. The other kinds carry none, and pass.
    /// </summary>
    /// <exception cref="InvalidModelException">Bytes are not those that were written.</exception>
    public virtual void Verify(CancellationToken cancellation)
    {
    }

    /// <summary>Unmaps the files. Matrices that borrow from them must not be used any more.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Unmaps the files.</summary>
    protected abstract void Dispose(bool disposing);

    internal abstract string? Architecture { get; }

    internal abstract string? ModelName { get; }

    internal abstract string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types);

    /// <summary>Weights that a tensor holds: 0 for scales, zero points and the like.</summary>
    public long ParameterCount(CheckpointTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Parameters(tensor);
    }

    /// <summary>Keeps mapped what <see cref="Image"/> gives, until the result is disposed of; null where that is nothing.</summary>
    internal virtual IDisposable? KeepMapped() => null;

    /// <summary>A weight of an engine file in its device's layout.</summary>
    /// <exception cref="InvalidModelException">The file has no such weight.</exception>
    internal virtual WeightImage Image(string key) => throw new InvalidOperationException($"{Path} is no engine file");

    /// <summary>Called before a tensor's values are read.</summary>
    private protected virtual void OnReadVector(CheckpointTensor tensor)
    {
    }

    /// <summary>The file in which a tensor of this name would be.</summary>
    private protected virtual string FileOf(string name) => Path;

    private float[] Values(CheckpointTensor tensor)
    {
        OnReadVector(tensor);
        return PlainTensors.Values(tensor);
    }

    private protected virtual long Parameters(CheckpointTensor tensor) => tensor.Elements;

    private protected CheckpointTensor Required(string name) => TryGetTensor(name, out CheckpointTensor? tensor)
        ? tensor
        : throw new InvalidModelException(FileOf(name), name, $"the tensor is missing; the checkpoint has {Tensors.Count} others");

    private static bool HasExtension(string path, string extension) =>
        IOPath.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase);
}
