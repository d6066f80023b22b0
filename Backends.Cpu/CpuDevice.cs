namespace Portable.Backends.Cpu;

/// <summary>The processor, opened: one worker pool for all its streams, which take turns at it.</summary>
internal sealed class CpuDevice : Device
{
    private bool _disposed;

    /// <summary>Opens it with a number of threads, the calling one included.</summary>
    public CpuDevice(DeviceInfo info, DeviceCapabilities capabilities, NumericMode numerics, long budgetBytes, int threads)
        : base(info, capabilities, numerics, budgetBytes) => Pool = new WorkerPool(threads);

    /// <summary>The threads; use only while holding <see cref="PoolTurn"/>.</summary>
    public WorkerPool Pool { get; }

    /// <summary>Held by the stream or the load that uses the pool.</summary>
    public Lock PoolTurn { get; } = new();

    /// <inheritdoc/>
    public override DeviceBuffer Allocate(long bytes, MemoryKind kind)
    {
        (NativeBlock block, Action release) = AllocateBlock(bytes, kind);
        return new CpuBuffer(this, block, release);
    }

    /// <inheritdoc/>
    public override HostBuffer AllocateHost(long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, int.MaxValue);
        return new CpuHostBuffer(new NativeBlock(bytes));
    }

    /// <inheritdoc/>
    public override DeviceWeight LoadWeight(IReadOnlyList<WeightMatrix> parts, WeightStacking stacking = WeightStacking.Outputs)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count == 0)
            throw new ArgumentException("at least one matrix is needed", nameof(parts));
        foreach (WeightMatrix part in parts)
        {
            if (part.Columns != parts[0].Columns || (stacking == WeightStacking.Experts && part.Rows != parts[0].Rows))
            {
                throw new ArgumentException(
                    $"{part.Name} [{part.Rows}, {part.Columns}] does not stack on {parts[0].Name} [{parts[0].Rows}, {parts[0].Columns}]", nameof(parts));
            }
        }

        long bytes = parts.Sum(BytesOf);
        Action release = Reserve(bytes, MemoryKind.Weights);
        var matrices = new List<CpuMatrix>(parts.Count);
        try
        {
            // Packed neighbours along the outputs become one matrix: they share one rounding of the activations.
            for (int i = 0; i < parts.Count;)
            {
                int end = i;
                while (end < parts.Count && IsPacked(parts[end]) && (end == i || stacking == WeightStacking.Outputs))
                    end++;
                matrices.Add(end == i ? CanonicalMatrix.Copy(parts[i]) : Pack(parts, i, end));
                i = Math.Max(end, i + 1);
            }

            return new CpuWeight(this, [.. matrices], stacking, bytes, release);
        }
        catch (Exception error)
        {
            foreach (CpuMatrix matrix in matrices)
                matrix.Dispose();
            release();
            if (error is OutOfMemoryException)
                throw new DeviceOutOfMemoryException(Info.Id, nameof(MemoryKind.Weights), bytes, ProcessorProbe.AvailableMemory());
            throw;
        }
    }

    /// <inheritdoc/>
    public override long WeightBytes(int rows, int columns, WeightFormat format) =>
        IsPacked(format, columns)
            ? Saturate(static a => PackedMatrix.PackedBytes(a.rows, a.columns, a.format), (rows, columns, format))
            : Saturate(static a => CanonicalMatrix.BytesOf(a.rows, a.columns, a.format), (rows, columns, format));

    /// <inheritdoc/>
    // One layout for every instruction set: a file made on one machine runs on all of them.
    public override string? WeightLayout =>
        !BitConverter.IsLittleEndian ? null : Numerics == NumericMode.Fast ? CpuWeightImage.FastLayout : CpuWeightImage.ReferenceLayout;

    /// <inheritdoc/>
    public override void WriteWeight(DeviceWeight weight, Stream destination)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(destination);
        if (weight is not CpuWeight own || own.Device != this)
            throw new ArgumentException("the weight was not loaded by this device", nameof(weight));
        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        CpuWeightImage.Write(own, destination);
    }

    /// <inheritdoc/>
    public override DeviceWeight MapWeight(WeightImage image)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CpuMatrix[] matrices = CpuWeightImage.Map(image, Numerics, out WeightStacking stacking);
        return new CpuWeight(this, matrices, stacking, image.Bytes, Reserve(image.Bytes, MemoryKind.Weights));
    }

    /// <inheritdoc/>
    public override KvCache CreateKvCache(KvCacheLayout layout)
    {
        (NativeBlock block, Action release) = AllocateBlock(KvCacheBytes(layout), MemoryKind.KvCache);
        return new CpuKvCache(this, layout, block, release);
    }

    /// <inheritdoc/>
    public override long KvCacheBytes(KvCacheLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        if (!Capabilities.KvFormats.Contains(layout.Format))
            throw new UnsupportedException($"KV format {layout.Format}", $"{Info.Id} offers {string.Join(", ", Capabilities.KvFormats)}");
        if (layout.Layers < 1 || layout.KeyHeads < 1 || layout.KeySize < 1 || layout.ValueSize < 1 || layout.PageSize < 1 || layout.Pages < 1)
            throw new ArgumentException($"every size of a KV cache must be positive: {layout}", nameof(layout));
        return Saturate(CpuKvCache.BytesOf, layout);
    }

    /// <inheritdoc/>
    public override CommandStream CreateStream()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new CpuStream(this);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Pool.Dispose();
    }

    // Unsigned 8-bit codes with an offset stay canonical: packed, their offset moves by 128 scales, and rounded to
    // binary16 there it would be off by up to a sixteenth of a quantisation step.
    private bool IsPacked(WeightFormat format, int columns) =>
        Numerics == NumericMode.Fast && PackedMatrix.CanPack(format, columns)
        && (format.Encoding != WeightEncoding.UInt8 || format.Offset == GroupOffset.None);

    private bool IsPacked(WeightMatrix matrix) => IsPacked(matrix.Format, matrix.Columns) && PackedMatrix.CanPack(matrix);

    // By the format alone, as it was planned: a codebook that is not of integers stays canonical and takes less.
    private long BytesOf(WeightMatrix matrix) => IsPacked(matrix.Format, matrix.Columns) && matrix.GroupIndex.IsEmpty
        ? WeightBytes(matrix.Rows, matrix.Columns, matrix.Format)
        : CanonicalMatrix.BytesOf(matrix.Rows, matrix.Columns, matrix.Format) + (matrix.GroupIndex.Length * sizeof(int));

    private PackedWeights Pack(IReadOnlyList<WeightMatrix> parts, int first, int end)
    {
        var packed = new List<PackedMatrix>(end - first);
        try
        {
            lock (PoolTurn)
            {
                for (int i = first; i < end; i++)
                    packed.Add(PackedMatrix.Pack(parts[i], Pool));
            }

            return new([.. packed]);
        }
        catch
        {
            packed.ForEach(p => p.Dispose());
            throw;
        }
    }

    // A size beyond 2^63 comes from numbers that no file or caller meant: no budget holds it.
    private static long Saturate<T>(Func<T, long> bytes, T argument)
    {
        try
        {
            return bytes(argument);
        }
        catch (OverflowException)
        {
            return long.MaxValue;
        }
    }

    private (NativeBlock Block, Action Release) AllocateBlock(long bytes, MemoryKind kind)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Action release = Reserve(bytes, kind);
        try
        {
            return (new NativeBlock(bytes), release);
        }
        catch (OutOfMemoryException)
        {
            release();
            throw new DeviceOutOfMemoryException(Info.Id, kind.ToString(), bytes, ProcessorProbe.AvailableMemory());
        }
    }
}
