using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
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

    /// <summary>Output i is row RowOrder[i] of the tensor (and value i of its bias); null means as stored.</summary>
    public IReadOnlyList<int>? RowOrder { get; init; }

    /// <summary>Rows of the matrix that the model gets.</summary>
    internal int Outputs => RowOrder?.Count ?? (IsTransposed ? Columns : Rows);

    /// <summary>Which matrix of a tensor with three dimensions; null for a tensor that is one matrix.</summary>
    public int? Slice { get; init; }

    /// <summary>
    /// Whether the tensor holds inputs by outputs, so that rows are its columns; <see cref="Rows"/> and <see cref="Columns"/> are as stored. A
    /// quantised one is widened to float32, which holds its values exactly.
    /// </summary>
    public bool IsTransposed { get; init; }
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
        if (checkpoint.Engine is { } engine && engine.Layout != device.WeightLayout)
        {
            throw new InvalidModelException(
                checkpoint.Path, null,
                $"its weights are in the layout \"{engine.Layout}\", {device.Info.Id} in {device.Numerics.ToString().ToLowerInvariant()} numerics takes \"{device.WeightLayout ?? "none"}\"; build another engine file for that device and numerics: {engine.CommandFor(device.Numerics, engine.HeadBits)}");
        }

        _checkpoint = checkpoint;
        _device = device;
        _progress = progress;
        Stream = stream;
        _totalBytes = checkpoint.Tensors.Sum(t => t.Bytes);
    }

    /// <summary>Told of each matrix when it is on the device, under the key that names it in an engine file.</summary>
    internal Action<string, DeviceWeight>? Loaded { get; init; }

    /// <summary>The stream that uploads are enqueued to.</summary>
    public CommandStream Stream { get; }

    /// <summary>Uploads matrices stacked along their outputs; the caller owns the result.</summary>
    public DeviceWeight Matrix(CancellationToken cancellation, params ReadOnlySpan<MatrixSpec> parts)
    {
        cancellation.ThrowIfCancellationRequested();
        if (_checkpoint.Engine is not null)
            return Mapped(Key(parts), Outputs(parts), Inputs(parts[0]), experts: 1);
        var matrices = new List<WeightMatrix>(parts.Length);
        try
        {
            foreach (MatrixSpec part in parts)
            {
                matrices.Add(Read(part));
            }

            DeviceWeight weight = Load(matrices);
            Loaded?.Invoke(Key(parts), weight);
            _progress?.Report(new LoadProgress("weights", Math.Min(_doneBytes, _totalBytes), _totalBytes));
            return weight;
        }
        finally
        {
            foreach (WeightMatrix matrix in matrices)
                matrix.Dispose();
        }
    }

    /// <summary>Uploads a matrix rounded to fewer bits; the caller owns the result.</summary>
    internal DeviceWeight Rounded(CancellationToken cancellation, MatrixSpec part, WeightFormat format)
    {
        cancellation.ThrowIfCancellationRequested();
        string key = $"{Key([part])} in {RoundedHead.Name(format)}";
        if (_checkpoint.Engine is not null)
            return Mapped(key, part.Outputs, Inputs(part), experts: 1);
        using WeightMatrix stored = Read(part);
        using WeightMatrix rounded = RoundedHead.Round(stored, format);
        DeviceWeight weight = Load([rounded]);
        Loaded?.Invoke(key, weight);
        _progress?.Report(new LoadProgress("weights", Math.Min(_doneBytes, _totalBytes), _totalBytes));
        return weight;
    }

    /// <summary>Reports that everything is loaded; tensors that no part asked for are not waited for.</summary>
    internal void Complete() => _progress?.Report(new LoadProgress("weights", _totalBytes, _totalBytes));

    /// <summary>Uploads experts of equal shape, one tensor each or all in one; the caller owns the result.</summary>
    /// <param name="cancellation">Cancels.</param>
    /// <param name="count">How many experts.</param>
    /// <param name="parts">One matrix for each expert, or one that describes each of a tensor [count, rows, columns].</param>
    internal DeviceWeight Experts(CancellationToken cancellation, int count, MatrixSpec[] parts)
    {
        cancellation.ThrowIfCancellationRequested();
        string key = $"{count} experts {Key([parts[0]])}";
        if (_checkpoint.Engine is not null)
            return Mapped(key, parts[0].Outputs, Inputs(parts[0]), count);
        var matrices = new List<WeightMatrix>(count);
        try
        {
            if (parts.Length == count)
            {
                foreach (MatrixSpec part in parts)
                    matrices.Add(Read(part));
            }
            else
            {
                // One tensor [count, rows, columns] for all.
                MatrixSpec part = parts[0];
                MatrixInfo info = _checkpoint.Describe(part.Module, 0);
                part.Check(_checkpoint, info);
                for (int expert = 0; expert < count; expert++)
                    matrices.Add(Arranged(part with { Slice = expert }));
                _doneBytes += _checkpoint.TryGetTensor(info.TensorName, out CheckpointTensor? tensor) ? tensor.Bytes : 0;
            }

            DeviceWeight weight = Load(matrices, WeightStacking.Experts);
            Loaded?.Invoke(key, weight);
            _progress?.Report(new LoadProgress("weights", Math.Min(_doneBytes, _totalBytes), _totalBytes));
            return weight;
        }
        finally
        {
            foreach (WeightMatrix matrix in matrices)
                matrix.Dispose();
        }
    }

    /// <summary>Uploads a matrix of float32 values that a tensor holds in another order; the caller owns the result.</summary>
    /// <param name="name">The tensor, for errors.</param>
    /// <param name="values">[rows * columns].</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    public DeviceWeight Floats(string name, ReadOnlySpan<float> values, int rows, int columns)
    {
        using WeightMatrix matrix = WeightMatrix.Allocate(name, rows, columns, new WeightFormat(WeightEncoding.Float32));
        for (int row = 0; row < rows; row++)
            values.Slice(row * columns, columns).CopyTo(MemoryMarshal.Cast<byte, float>(matrix.Codes(row)));
        return Load([matrix]);
    }

    /// <summary>Uploads a vector as float32 [1, length], (value + offset) * scale; the caller owns its buffer.</summary>
    public TensorView Vector(string tensor, int length, float offset = 0, float scale = 1)
    {
        float[] values = _checkpoint.ReadVector(tensor, length);
        for (int i = 0; i < values.Length; i++)
            values[i] = (values[i] + offset) * scale;
        return Floats(values);
    }

    /// <summary>Uploads vectors one after another as one float32 row; the caller owns its buffer.</summary>
    public TensorView Vectors(params ReadOnlySpan<(string Tensor, int Length)> parts)
    {
        var values = new List<float>();
        foreach ((string tensor, int length) in parts)
            values.AddRange(_checkpoint.ReadVector(tensor, length));
        return Floats([.. values]);
    }

    /// <summary>Uploads the biases of stacked matrices as one float32 row; the caller owns its buffer.</summary>
    public TensorView Biases(params ReadOnlySpan<MatrixSpec> parts)
    {
        var values = new List<float>();
        foreach (MatrixSpec part in parts)
        {
            float[] stored = _checkpoint.ReadVector(part.Module + ".bias", part.Rows);
            values.AddRange(part.RowOrder is { } order ? order.Select(row => stored[row]) : stored);
        }

        return Floats([.. values]);
    }

    /// <summary>Uploads values as float32 [1, count]; the caller owns its buffer.</summary>
    public TensorView Floats(ReadOnlySpan<float> values) => Upload(values, ElementType.Float32);

    /// <summary>Uploads a table in the device's activation type; the caller owns its buffer.</summary>
    /// <param name="values">[rows * columns].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    public TensorView Table(ReadOnlySpan<float> values, int rows, int columns)
    {
        ElementType type = _device.Capabilities.ActivationType;
        DeviceBuffer buffer = _device.Allocate((long)rows * columns * type.Size(), MemoryKind.Weights);
        try
        {
            TensorView view = buffer.View(type, rows, columns);
            using DeviceBuffer staging = _device.Allocate(4L * rows * columns, MemoryKind.Workspace);
            TensorView floats = staging.View(ElementType.Float32, rows, columns);
            Stream.Upload(floats, values);
            Stream.Copy(floats, view);
            Stream.Synchronize();
            return view;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Uploads values as int32 [1, count]; the caller owns its buffer.</summary>
    public TensorView Integers(ReadOnlySpan<int> values) => Upload(values, ElementType.Int32);

    /// <summary>Names a weight by what it is made of.</summary>
    private static string Key(ReadOnlySpan<MatrixSpec> parts)
    {
        var key = new StringBuilder();
        foreach (MatrixSpec part in parts)
        {
            key.Append(key.Length > 0 ? " + " : "").Append(part.Module);
            if (part.Slice is { } slice)
                key.Append(CultureInfo.InvariantCulture, $"[{slice}]");
            if (part.IsTransposed)
                key.Append(" transposed");
            if (part.RowOrder is { } order)
            {
                // FNV-1a over the numbers of the rows.
                ulong hash = 14695981039346656037;
                foreach (int row in order)
                    hash = (hash ^ (uint)row) * 1099511628211;
                key.Append(CultureInfo.InvariantCulture, $" rows {hash:x16}");
            }
        }

        return key.ToString();
    }

    private static int Outputs(ReadOnlySpan<MatrixSpec> parts)
    {
        int outputs = 0;
        foreach (MatrixSpec part in parts)
            outputs = checked(outputs + part.Outputs);
        return outputs;
    }

    private static int Inputs(MatrixSpec part) => part.IsTransposed ? part.Rows : part.Columns;

    /// <summary>A weight of an engine file, in place.</summary>
    private DeviceWeight Mapped(string key, int rows, int columns, int experts)
    {
        DeviceWeight weight = _device.MapWeight(_checkpoint.Image(key));
        if (weight.Rows == rows && weight.Columns == columns && weight.Experts == experts)
            return weight;
        string found = $"{weight.Experts} x [{weight.Rows}, {weight.Columns}]";
        weight.Dispose();
        throw new InvalidModelException(
            _checkpoint.Path, key, $"expected {experts} x [{rows}, {columns}] by the configuration, found {found}; build the engine file again: {_checkpoint.Engine!.RebuildCommand}");
    }

    private DeviceWeight Load(List<WeightMatrix> matrices, WeightStacking stacking = WeightStacking.Outputs)
    {
        try
        {
            return _device.LoadWeight(matrices, stacking);
        }
        catch (InvalidModelException error) when (matrices.Exists(m => m.Name == error.File))
        {
            // A device that looks into weights knows their tensor, but not the file that a person must replace.
            string file = _checkpoint.TryGetTensor(error.File, out CheckpointTensor? tensor) ? tensor.File : _checkpoint.Path;
            throw new InvalidModelException(file, error.Where is null ? error.File : $"{error.File}: {error.Where}", error.Problem, error);
        }
    }

    private WeightMatrix Read(MatrixSpec part)
    {
        MatrixInfo info = part.Slice is { } slice ? _checkpoint.Describe(part.Module, slice) : _checkpoint.Describe(part.Module);
        part.Check(_checkpoint, info);
        WeightMatrix matrix = Arranged(part);
        _doneBytes += _checkpoint.TryGetTensor(info.TensorName, out CheckpointTensor? tensor) ? tensor.Bytes : 0;
        return matrix;
    }

    /// <summary>The matrix as the model wants it: its slice, transposed, its rows in their order.</summary>
    private WeightMatrix Arranged(MatrixSpec part)
    {
        WeightMatrix matrix = part.Slice is { } slice ? _checkpoint.ReadMatrix(part.Module, slice) : _checkpoint.ReadMatrix(part.Module);
        if (part.IsTransposed)
        {
            using WeightMatrix stored = matrix;
            matrix = Transposed(stored);
        }

        if (part.RowOrder is not { } order)
            return matrix;
        using (matrix)
            return Reordered(matrix, order);
    }

    private static WeightMatrix Transposed(WeightMatrix stored)
    {
        var matrix = WeightMatrix.Allocate(stored.Name, stored.Columns, stored.Rows, new WeightFormat(WeightEncoding.Float32));
        float[] row = new float[stored.Columns];
        for (int i = 0; i < stored.Rows; i++)
        {
            stored.DequantizeRow(i, row);
            for (int j = 0; j < row.Length; j++)
                MemoryMarshal.Cast<byte, float>(matrix.Codes(j))[i] = row[j];
        }

        return matrix;
    }

    /// <summary>The matrix with its rows in another order: rows are whole in every format, with their scales and zero points.</summary>
    private static WeightMatrix Reordered(WeightMatrix stored, IReadOnlyList<int> order)
    {
        var matrix = WeightMatrix.Allocate(
            stored.Name, order.Count, stored.Columns, stored.Format,
            stored.Codebook.IsEmpty ? null : stored.Codebook.ToArray(), stored.GroupIndex.IsEmpty ? null : stored.GroupIndex.ToArray());
        for (int row = 0; row < order.Count; row++)
        {
            stored.Codes(order[row]).CopyTo(matrix.Codes(row));
            stored.Scales(order[row]).CopyTo(matrix.Scales(row));
            stored.ZeroPoints(order[row]).CopyTo(matrix.ZeroPoints(row));
            stored.Minimums(order[row]).CopyTo(matrix.Minimums(row));
        }

        return matrix;
    }

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
