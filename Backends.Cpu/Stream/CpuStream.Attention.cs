namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnPagedAttention(
        TensorView query, KvCache cache, int layer, in PagedBatch batch, in AttentionParameters attention, TensorView output)
    {
        CpuKvCache pages = Live(cache);
        CheckBatch(pages, batch, query.Rows);
        PagedAttentionJob job = new()
        {
            Query = Rows(query),
            Output = Rows(output),
            Keys = pages.Keys(layer, 0, 0),
            Values = pages.Values(layer, 0, 0),
            ValueStride = pages.ValueStride,
            PageSize = pages.Layout.PageSize,
            IsHalf = pages.Layout.Format == KvFormat.Float16,
            Form = new AttentionForm(attention),
            Offsets = Ints(batch.QueryOffsets),
            Contexts = Ints(batch.ContextLengths),
            VisibleEnds = batch.VisibleEnds is { } ends ? Ints(ends) : null,
            PageTable = Ints(batch.PageTable),
            PageTableStride = batch.PageTable.RowStride,
            Sequences = batch.Sequences,
        };
        lock (_device.PoolTurn)
            AttentionKernel.Run(job, _device.Pool, _workspace);
    }

    /// <inheritdoc/>
    protected override void OnSegmentAttention(
        TensorView query, TensorView keys, TensorView values, in SegmentBatch segments, in AttentionParameters attention, bool causal, TensorView output)
    {
        CheckOffsets(Ints(segments.Offsets), segments.Count, query.Rows, nameof(segments));
        SegmentAttentionJob job = new()
        {
            Query = Rows(query),
            Keys = Rows(keys),
            Values = Rows(values),
            Output = Rows(output),
            Form = new AttentionForm(attention),
            Offsets = Ints(segments.Offsets),
            Segments = segments.Count,
            Causal = causal,
        };
        lock (_device.PoolTurn)
            AttentionKernel.Run(job, _device.Pool, _workspace);
    }

    private static void CheckBatch(CpuKvCache pages, in PagedBatch batch, int rows)
    {
        int* offsets = Ints(batch.QueryOffsets), contexts = Ints(batch.ContextLengths), table = Ints(batch.PageTable);
        CheckOffsets(offsets, batch.Sequences, rows, nameof(batch), "OnPagedAttention");
        int pageSize = pages.Layout.PageSize;
        for (int s = 0; s < batch.Sequences; s++)
        {
            int queries = offsets[s + 1] - offsets[s], context = contexts[s];
            if (queries == 0)
                continue;
            if (context < queries || context > (long)batch.PageTable.Columns * pageSize)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(batch), $"PagedAttention: sequence {s} has {queries} queries and a context of {context} tokens in {batch.PageTable.Columns} pages");
            }

            CheckIndices(table + ((long)s * batch.PageTable.RowStride), (context + pageSize - 1) / pageSize, pages.Layout.Pages, nameof(batch), "OnPagedAttention");
        }
    }
}
