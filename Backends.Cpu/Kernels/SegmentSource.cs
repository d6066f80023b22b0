namespace Portable.Backends.Cpu;

/// <summary>Rows of packed segments, copied tile by tile: heads lie far apart there and end in any memory.</summary>
internal readonly unsafe struct SegmentSource(SegmentAttentionJob job) : IAttentionSource
{
    private readonly SegmentAttentionJob _job = job;

    /// <inheritdoc/>
    public AttentionForm Form => _job.Form;

    /// <inheritdoc/>
    public FloatRows Query => _job.Query;

    /// <inheritdoc/>
    public FloatRows Output => _job.Output;

    /// <inheritdoc/>
    public int Groups => _job.Segments;

    /// <inheritdoc/>
    public int KeyBlocks(int keys) => (keys + ScoreProducts.Lanes - 1) / ScoreProducts.Lanes;

    /// <inheritdoc/>
    public void Rows(int group, out int first, out int end)
    {
        first = _job.Offsets[group];
        end = _job.Offsets[group + 1];
    }

    /// <inheritdoc/>
    public void Visible(int group, int row, out int first, out int end)
    {
        int start = _job.Offsets[group];
        _job.Visible(_job.Offsets[group + 1] - start, row - start, out first, out end);
    }

    /// <inheritdoc/>
    public int Keys<TSimd, TVector>(int group, int head, int from, int to, float* scratch, float** blocks, int* columns)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int size = _job.Form.HeadSize, count = 0;
        for (int position = from; position < to; position += ScoreProducts.Lanes, scratch += (nint)size * ScoreProducts.Lanes)
        {
            float* keys = _job.Keys.Row(_job.Offsets[group] + position) + (head * size);
            TransposeKernel.Run(keys, _job.Keys.Stride, Math.Min(ScoreProducts.Lanes, to - position), size, scratch);
            blocks[count] = scratch;
            columns[count++] = position - from;
        }

        return count;
    }

    /// <inheritdoc/>
    public float* Values<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged =>
        Copy(_job.Values, _job.Offsets[group] + position, head, _job.Form.ValueSize, run = limit, scratch, stride = CpuKvCache.Pad(_job.Form.ValueSize));

    private static float* Copy(FloatRows rows, int row, int head, int size, int count, float* scratch, nint stride)
    {
        float* destination = scratch;
        for (int i = row; i < row + count; i++, destination += stride)
        {
            new ReadOnlySpan<float>(rows.Row(i) + (head * size), size).CopyTo(new(destination, size));
            new Span<float>(destination + size, (int)stride - size).Clear();
        }

        return scratch;
    }
}
