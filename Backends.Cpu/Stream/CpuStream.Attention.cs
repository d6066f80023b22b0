namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnPagedAttention(
        TensorView query, KvCache cache, int layer, in PagedBatch batch, in AttentionParameters attention, TensorView output)
    {
        CpuKvCache pages = Live(cache);
        var form = new AttentionForm(attention);
        int* offsets = Ints(batch.QueryOffsets), contexts = Ints(batch.ContextLengths);
        int* ends = batch.VisibleEnds is { } visible ? Ints(visible) : null;
        CheckBatch(pages, batch, query.Rows);
        PagedAttentionKernel.Run(
            new PagedAttentionJob
            {
                Query = Rows(query),
                Output = Rows(output),
                Pages = pages,
                Layer = layer,
                Form = form,
                Offsets = offsets,
                Contexts = contexts,
                VisibleEnds = ends,
                PageTable = Ints(batch.PageTable),
                PageTableStride = batch.PageTable.RowStride,
                Sequences = batch.Sequences,
            });
    }

    /// <inheritdoc/>
    protected override void OnSegmentAttention(
        TensorView query, TensorView keys, TensorView values, in SegmentBatch segments, in AttentionParameters attention, bool causal, TensorView output)
    {
        CheckOffsets(Ints(segments.Offsets), segments.Count, query.Rows, nameof(segments));
        SegmentAttentionKernel.Run(
            new SegmentAttentionJob
            {
                Query = Rows(query),
                Keys = Rows(keys),
                Values = Rows(values),
                Output = Rows(output),
                Form = new AttentionForm(attention),
                Offsets = Ints(segments.Offsets),
                Segments = segments.Count,
                Causal = causal,
            });
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
