namespace Portable.Backends.Cpu;

/// <summary>Rows in pages: float32 is read where it lies, float16 is widened to the scratch.</summary>
internal readonly unsafe struct PagedSource(PagedAttentionJob job) : IAttentionSource
{
    private readonly PagedAttentionJob _job = job;

    /// <inheritdoc/>
    public AttentionForm Form => _job.Form;

    /// <inheritdoc/>
    public FloatRows Query => _job.Query;

    /// <inheritdoc/>
    public FloatRows Output => _job.Output;

    /// <inheritdoc/>
    public int Groups => _job.Sequences;

    /// <inheritdoc/>
    public int KeyBlocks(int keys)
    {
        int pages = ((keys - 1) / _job.PageSize) + 2;
        return Math.Min(pages * (CpuKvCache.Pad(_job.PageSize) / CpuKvCache.Padding), (keys / CpuKvCache.Padding) + (2 * pages));
    }

    /// <inheritdoc/>
    public void Rows(int group, out int first, out int end)
    {
        first = _job.Offsets[group];
        end = _job.Offsets[group + 1];
    }

    /// <inheritdoc/>
    public void Visible(int group, int row, out int first, out int end) => _job.Visible(group, row, out first, out end);

    /// <inheritdoc/>
    public int Keys<TSimd, TVector>(int group, int head, int from, int to, float* scratch, float** blocks, int* columns)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int count = 0, elements = _job.Form.HeadSize * CpuKvCache.Padding;
        for (int position = from; position < to;)
        {
            byte* block = _job.KeyBlock(group, head, position, out int lane, out int run);
            run = Math.Min(run, to - position);
            int found = (lane + run + CpuKvCache.Padding - 1) / CpuKvCache.Padding;
            float* keys = Widen<TSimd, TVector>(block, (nint)found * elements, ref scratch);
            for (int i = 0; i < found; i++)
            {
                blocks[count] = keys + ((nint)i * elements);
                columns[count++] = position - from - lane + (i * CpuKvCache.Padding);
            }

            position += run;
        }

        return count;
    }

    /// <inheritdoc/>
    public float* Values<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        byte* values = _job.Value(group, head, position, out run);
        stride = _job.ValueStride;
        run = Math.Min(run, limit);
        if (!_job.IsHalf)
            return (float*)values;
        // What is copied anyway is put together.
        float* widened = scratch;
        Widen<TSimd, TVector>(values, run * stride, ref scratch);
        while (run < limit)
        {
            values = _job.Value(group, head, position + run, out int more);
            more = Math.Min(more, limit - run);
            Widen<TSimd, TVector>(values, more * stride, ref scratch);
            run += more;
        }

        return widened;
    }

    private float* Widen<TSimd, TVector>(byte* source, nint length, ref float* scratch)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        if (!_job.IsHalf)
            return (float*)source;
        float* widened = scratch;
        WidenKernel.Run<TSimd, TVector>((ushort*)source, widened, length);
        scratch += length;
        return widened;
    }
}
