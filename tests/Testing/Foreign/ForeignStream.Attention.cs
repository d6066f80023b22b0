using System.Runtime.InteropServices;

namespace Portable.Testing.Foreign;

internal sealed partial class ForeignStream
{
    protected override void OnKvWrite(TensorView keys, TensorView values, KvCache cache, int layer, TensorView slots)
    {
        ForeignKvCache own = Own(cache);
        KvCacheLayout layout = cache.Layout;
        Enqueue(nameof(KvWrite), [keys, values, slots], launch =>
        {
            ForeignTensor k = launch.Read(keys, nameof(keys)), v = launch.Read(values, nameof(values)), where = launch.Read(slots, nameof(slots));
            Span<Half> pages = launch.Write(own);
            for (int t = 0; t < keys.Rows; t++)
            {
                if (where.Int(0, t) < 0)
                    continue;
                int slot = launch.Index(where, 0, t, layout.Tokens, "slot");
                ReadOnlySpan<Half> key = MemoryMarshal.Cast<byte, Half>(k.Bytes(t)), value = MemoryMarshal.Cast<byte, Half>(v.Bytes(t));
                for (int head = 0; head < layout.KeyHeads; head++)
                {
                    key.Slice(head * layout.KeySize, layout.KeySize).CopyTo(pages[(int)own.KeyIndex(layer, slot, head)..]);
                    value.Slice(head * layout.ValueSize, layout.ValueSize).CopyTo(pages[(int)own.ValueIndex(layer, slot, head)..]);
                }
            }
        });
    }

    protected override void OnPagedAttention(
        TensorView query, KvCache cache, int layer, in PagedBatch batch, in AttentionParameters attention, TensorView output)
    {
        ForeignKvCache own = Own(cache);
        KvCacheLayout layout = cache.Layout;
        PagedBatch sequences = batch;
        AttentionParameters form = attention;
        Enqueue(
            nameof(PagedAttention),
            Some([query, output, batch.QueryOffsets, batch.ContextLengths, batch.PageTable], batch.VisibleEnds, attention.Sinks), launch =>
            {
                ForeignTensor q = launch.Read(query, nameof(query)), y = launch.Write(output, nameof(output));
                ForeignTensor lengths = launch.Read(sequences.ContextLengths, "context lengths"), table = launch.Read(sequences.PageTable, "page table");
                ForeignTensor? ends = sequences.VisibleEnds is { } e ? launch.Read(e, "visible ends") : null;
                float[]? sinks = form.Sinks is { } s ? launch.Read(s, "sinks").Row(0) : null;
                Memory<byte> memory = launch.Read(own);
                int[] offsets = Offsets(launch, launch.Read(sequences.QueryOffsets, "query offsets"), sequences.Sequences, query.Rows, sequences.MaxQueryLength);
                float[] row = new float[query.Columns], result = new float[output.Columns];
                for (int sequence = 0; sequence < sequences.Sequences; sequence++)
                {
                    int count = offsets[sequence + 1] - offsets[sequence];
                    if (count == 0)
                        continue;
                    int length = launch.Index(lengths, 0, sequence, sequences.MaxContextLength + 1L, "context length");
                    if (length < count)
                        throw launch.Fault($"sequence {sequence} has {count} queries and a context of only {length}");
                    int oldest = form.Window > 0 ? Math.Max(0, length - count - form.Window + 1) : 0;
                    (float[][] keys, float[][] values) = Gather(launch, own, memory, layer, table, sequence, oldest, length);
                    for (int t = offsets[sequence]; t < offsets[sequence + 1]; t++)
                    {
                        int position = length - (offsets[sequence + 1] - t);
                        int end = position + 1;
                        if (ends is { } visible)
                        {
                            end = launch.Index(visible, 0, t, length + 1L, "visible end");
                            if (end <= position)
                                throw launch.Fault($"visible end {end} of row {t} is before its own position {position}");
                        }

                        q.Read(t, row);
                        int start = form.Window > 0 ? Math.Max(0, position - form.Window + 1) : 0;
                        Attend(row, keys, values, start, end, form, sinks, result);
                        y.Write(t, result);
                    }
                }
            });
    }

    protected override void OnSegmentAttention(
        TensorView query, TensorView keys, TensorView values, in SegmentBatch segments, in AttentionParameters attention, bool causal, TensorView output)
    {
        SegmentBatch batch = segments;
        AttentionParameters form = attention;
        Enqueue(nameof(SegmentAttention), Some([query, keys, values, output, segments.Offsets], attention.Sinks), launch =>
        {
            ForeignTensor q = launch.Read(query, nameof(query)), k = launch.Read(keys, nameof(keys)), v = launch.Read(values, nameof(values));
            ForeignTensor y = launch.Write(output, nameof(output));
            float[]? sinks = form.Sinks is { } s ? launch.Read(s, "sinks").Row(0) : null;
            int[] offsets = Offsets(launch, launch.Read(batch.Offsets, "segment offsets"), batch.Count, query.Rows, batch.MaxLength);
            float[] row = new float[query.Columns], result = new float[output.Columns];
            for (int segment = 0; segment < batch.Count; segment++)
            {
                int first = offsets[segment], count = offsets[segment + 1] - first;
                float[][] keyRows = [.. Enumerable.Range(first, count).Select(k.Row)];
                float[][] valueRows = [.. Enumerable.Range(first, count).Select(v.Row)];
                for (int i = 0; i < count; i++)
                {
                    q.Read(first + i, row);
                    int start = form.Window > 0 ? Math.Max(0, i - form.Window + 1) : 0;
                    Attend(row, keyRows, valueRows, start, causal ? i + 1 : count, form, sinks, result);
                    y.Write(first + i, result);
                }
            }
        });
    }

    // Pages before the oldest key that any query sees are not looked at: an engine may have given them away.
    private static (float[][] Keys, float[][] Values) Gather(
        ForeignLaunch launch, ForeignKvCache cache, Memory<byte> memory, int layer, ForeignTensor table, int sequence, int oldest, int length)
    {
        KvCacheLayout layout = cache.Layout;
        ReadOnlySpan<Half> pages = MemoryMarshal.Cast<byte, Half>(memory.Span);
        float[][] keys = new float[length][], values = new float[length][];
        for (int p = oldest; p < length; p++)
        {
            int page = launch.Index(table, sequence, p / layout.PageSize, layout.Pages, "page");
            long slot = ((long)page * layout.PageSize) + (p % layout.PageSize);
            keys[p] = new float[layout.KeyHeads * layout.KeySize];
            values[p] = new float[layout.KeyHeads * layout.ValueSize];
            for (int head = 0; head < layout.KeyHeads; head++)
            {
                Widen(pages.Slice((int)cache.KeyIndex(layer, slot, head), layout.KeySize), keys[p].AsSpan(head * layout.KeySize));
                Widen(pages.Slice((int)cache.ValueIndex(layer, slot, head), layout.ValueSize), values[p].AsSpan(head * layout.ValueSize));
            }
        }

        return (keys, values);
    }

    private static void Widen(ReadOnlySpan<Half> halves, Span<float> values)
    {
        for (int i = 0; i < halves.Length; i++)
            values[i] = (float)halves[i];
    }

    /// <summary>All heads of one query over the keys start … end - 1.</summary>
    private static void Attend(
        ReadOnlySpan<float> query, float[][] keys, float[][] values, int start, int end, in AttentionParameters form, float[]? sinks, Span<float> output)
    {
        int size = form.HeadSize, valueSize = form.ValueHeadSize, shared = form.QueryHeads / form.KeyHeads;
        double[] scores = new double[end - start];
        for (int head = 0; head < form.QueryHeads; head++)
        {
            int keyHead = head / shared;
            double largest = sinks is null ? double.NegativeInfinity : sinks[head];
            for (int p = start; p < end; p++)
            {
                double score = Dot(query.Slice(head * size, size), keys[p].AsSpan(keyHead * size, size)) * form.Scale;
                if (form.SoftCap > 0)
                    score = form.SoftCap * Math.Tanh(score / form.SoftCap);
                scores[p - start] = score;
                largest = Math.Max(largest, score);
            }

            double sum = sinks is null ? 0 : Math.Exp(sinks[head] - largest);
            double[] result = new double[valueSize];
            for (int p = start; p < end; p++)
            {
                double share = Math.Exp(scores[p - start] - largest);
                sum += share;
                ReadOnlySpan<float> value = values[p].AsSpan(keyHead * valueSize, valueSize);
                for (int c = 0; c < valueSize; c++)
                    result[c] += share * value[c];
            }

            for (int c = 0; c < valueSize; c++)
                output[(head * valueSize) + c] = (float)(result[c] / sum);
        }
    }
}
