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
    public void Rows(int group, out int first, out int end)
    {
        first = _job.Offsets[group];
        end = _job.Offsets[group + 1];
    }

    /// <inheritdoc/>
    public void Visible(int group, int row, out int first, out int end) => _job.Visible(group, row, out first, out end);

    /// <inheritdoc/>
    public float* Keys<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        byte* keys = _job.Key(group, head, position, out run);
        return Widen<TSimd, TVector>(keys, stride = _job.KeyStride, run = Math.Min(run, limit), scratch);
    }

    /// <inheritdoc/>
    public float* Values<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        byte* values = _job.Value(group, head, position, out run);
        return Widen<TSimd, TVector>(values, stride = _job.ValueStride, run = Math.Min(run, limit), scratch);
    }

    private float* Widen<TSimd, TVector>(byte* source, nint stride, int run, float* scratch)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        if (!_job.IsHalf)
            return (float*)source;
        WidenKernel.Run<TSimd, TVector>((ushort*)source, scratch, run * stride);
        return scratch;
    }
}
