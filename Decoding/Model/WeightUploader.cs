using Portable.Checkpoints;

namespace Portable.Decoding;

/// <summary>A matrix that a model expects: its module name and its shape by the configuration.</summary>
/// <param name="Module">The tensor's name without ".weight".</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
public readonly record struct MatrixSpec(string Module, int Rows, int Columns)
{
    /// <summary>Throws when what the checkpoint has is of another shape.</summary>
    internal void Check(Checkpoint checkpoint, MatrixInfo info)
    {
        if (info.Rows != Rows || info.Columns != Columns)
            throw new InvalidModelException(
                checkpoint.Path, info.TensorName, $"expected shape [{Rows}, {Columns}] by the configuration, found [{info.Rows}, {info.Columns}]");
    }
}

/// <summary>
/// Brings tensors of a checkpoint onto a device: checks each shape against the configuration, reads it in canonical form,
/// hands it to the device and frees the canonical copy. Used by one thread.
/// </summary>
public sealed class WeightUploader
{
    private readonly Checkpoint _checkpoint;
    private readonly Device _device;
    private readonly IProgress<LoadProgress>? _progress;
    private readonly long _totalBytes;
    private long _doneBytes;

    /// <summary>Creates the uploader.</summary>
    /// <param name="checkpoint">Where tensors come from.</param>
    /// <param name="device">Where they go.</param>
    /// <param name="stream">A stream of the device.</param>
    /// <param name="progress">Told after each matrix, or null.</param>
    public WeightUploader(Checkpoint checkpoint, Device device, CommandStream stream, IProgress<LoadProgress>? progress = null)
    {
        _checkpoint = checkpoint;
        _device = device;
        _progress = progress;
        Stream = stream;
        _totalBytes = checkpoint.Tensors.Sum(t => t.Bytes);
    }

    /// <summary>The stream that uploads are enqueued to.</summary>
    public CommandStream Stream { get; }

    /// <summary>Uploads matrices stacked along their outputs; the caller owns the result.</summary>
    public DeviceWeight Matrix(CancellationToken cancellation, params ReadOnlySpan<MatrixSpec> parts)
    {
        cancellation.ThrowIfCancellationRequested();
        var matrices = new List<WeightMatrix>(parts.Length);
        try
        {
            foreach (MatrixSpec part in parts)
            {
                MatrixInfo info = _checkpoint.Describe(part.Module);
                part.Check(_checkpoint, info);
                matrices.Add(_checkpoint.ReadMatrix(part.Module));
                _doneBytes += _checkpoint.TryGetTensor(info.TensorName, out CheckpointTensor? tensor) ? tensor.Bytes : 0;
            }

            DeviceWeight weight = _device.LoadWeight(matrices);
            _progress?.Report(new LoadProgress("weights", Math.Min(_doneBytes, _totalBytes), _totalBytes));
            return weight;
        }
        finally
        {
            foreach (WeightMatrix matrix in matrices)
                matrix.Dispose();
        }
    }

    /// <summary>Reports that everything is loaded; tensors that no part asked for are not waited for.</summary>
    internal void Complete() => _progress?.Report(new LoadProgress("weights", _totalBytes, _totalBytes));

    /// <summary>Uploads a vector as float32 [1, length]; the caller owns its buffer.</summary>
    public TensorView Vector(string tensor, int length) => Vectors((tensor, length));

    /// <summary>Uploads vectors one after another as one float32 row; the caller owns its buffer.</summary>
    public TensorView Vectors(params ReadOnlySpan<(string Tensor, int Length)> parts)
    {
        var values = new List<float>();
        foreach ((string tensor, int length) in parts)
            values.AddRange(_checkpoint.ReadVector(tensor, length));
        return Floats([.. values]);
    }

    /// <summary>Uploads values as float32 [1, count]; the caller owns its buffer.</summary>
    public TensorView Floats(ReadOnlySpan<float> values) => Upload(values, ElementType.Float32);

    /// <summary>Uploads values as int32 [1, count]; the caller owns its buffer.</summary>
    public TensorView Integers(ReadOnlySpan<int> values) => Upload(values, ElementType.Int32);

    private TensorView Upload<T>(ReadOnlySpan<T> values, ElementType type) where T : unmanaged
    {
        DeviceBuffer buffer = _device.Allocate(Math.Max(1, values.Length) * 4L, MemoryKind.Weights);
        try
        {
            TensorView view = buffer.View(type, 1, values.Length);
            Stream.Upload(view, values);
            return view;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }
}
