using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// Attention in tiles with an online softmax (Milakov and Gimelshein 2018), never holding all scores. A unit of work is
/// a group (sequence or segment), a key head and a block of queries; the query heads that share the key head are rows of
/// the same block, so that each key and value is read once for all of them. Tiles start at multiples of their size and
/// a row's sums depend on nothing but its own keys, so that no partition changes a bit.
/// </summary>
internal static unsafe class AttentionKernel
{
    // Keys per tile: their scores for all rows of a block stay in the second-level cache.
    private const int TileKeys = 128;

    // Rows (queries times query heads per key head) per block: the cost of copying a tile is shared by them.
    private const int BlockRows = 96;

    // Multiply-adds below which waking a worker costs more than it saves.
    private const long InlineWork = 1 << 17;

    /// <summary>Attention over pages.</summary>
    public static void Run(in PagedAttentionJob job, WorkerPool pool, CpuWorkspace workspace) => Run(new PagedSource(job), pool, workspace);

    /// <summary>Attention inside segments.</summary>
    public static void Run(in SegmentAttentionJob job, WorkerPool pool, CpuWorkspace workspace) => Run(new SegmentSource(job), pool, workspace);

    /// <summary>Runs one width of the ladder, for tests.</summary>
    internal static void RunWith<TSimd, TVector, TSource>(TSource source, WorkerPool pool, CpuWorkspace workspace)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TSource : unmanaged, IAttentionSource => Run(source, &Unit<TSimd, TVector, TSource>, pool, workspace);

    private static void Run<TSource>(TSource source, WorkerPool pool, CpuWorkspace workspace)
        where TSource : unmanaged, IAttentionSource
    {
        delegate*<void*, int, int, void> unit = Vector512.IsHardwareAccelerated ? &Unit<FloatSimd512, Vector512<float>, TSource>
            : Vector256.IsHardwareAccelerated ? &Unit<FloatSimd256, Vector256<float>, TSource>
            : Vector128.IsHardwareAccelerated ? &Unit<FloatSimd128, Vector128<float>, TSource>
            : &Unit<FloatSimdScalar, float, TSource>;
        Run(source, unit, pool, workspace);
    }

    private static void Run<TSource>(TSource source, delegate*<void*, int, int, void> unit, WorkerPool pool, CpuWorkspace workspace)
        where TSource : unmanaged, IAttentionSource
    {
        AttentionForm form = source.Form;
        int longest = 0;
        long work = 0;
        for (int g = 0; g < source.Groups; g++)
        {
            source.Rows(g, out int first, out int end);
            if (end <= first)
                continue;
            longest = Math.Max(longest, end - first);
            source.Visible(g, end - 1, out int firstKey, out int endKey);
            work += (long)(end - first) * Math.Max(endKey - firstKey, 0);
        }

        if (longest == 0)
            return;
        Job<TSource> job = new() { Source = source, QueriesPerBlock = Math.Max(1, BlockRows / form.GroupHeads) };
        job.Blocks = (longest + job.QueriesPerBlock - 1) / job.QueriesPerBlock;
        job.Rows = Math.Min(job.QueriesPerBlock, longest) * form.GroupHeads;
        job.KeyStride = CpuKvCache.Pad(form.HeadSize);
        job.ValueStride = CpuKvCache.Pad(form.ValueSize);
        long floats = ((long)job.Rows * (job.KeyStride + job.ValueStride + TileKeys + 4)) + ((long)TileKeys * Math.Max(job.KeyStride, job.ValueStride));
        long scratchBytes = floats * sizeof(float);
        job.Scratch = workspace.Private(ref scratchBytes);
        job.ScratchBytes = scratchBytes;
        int units = checked(source.Groups * job.Blocks * form.KeyHeads);
        if (work * form.KeyHeads * form.GroupHeads * (form.HeadSize + form.ValueSize) < InlineWork)
        {
            for (int i = 0; i < units; i++)
                unit(&job, 0, i);
        }
        else
            pool.Run(unit, &job, units);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unit<TSimd, TVector, TSource>(void* argument, int worker, int chunk)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TSource : unmanaged, IAttentionSource
    {
        var job = (Job<TSource>*)argument;
        AttentionForm form = job->Source.Form;
        (int rest, int head) = Math.DivRem(chunk, form.KeyHeads);
        (int group, int block) = Math.DivRem(rest, job->Blocks);
        job->Source.Rows(group, out int firstRow, out int endRow);
        // The last block of a causal sequence sees most: it goes first.
        firstRow += (job->Blocks - 1 - block) * job->QueriesPerBlock;
        endRow = Math.Min(endRow, firstRow + job->QueriesPerBlock);
        if (firstRow >= endRow)
            return;

        int m = (endRow - firstRow) * form.GroupHeads;
        float* query = (float*)(job->Scratch + (worker * job->ScratchBytes));
        float* sums = query + ((nint)job->Rows * job->KeyStride);
        float* scores = sums + ((nint)job->Rows * job->ValueStride);
        float* maxima = scores + ((nint)job->Rows * TileKeys);
        float* denominators = maxima + job->Rows;
        int* firsts = (int*)(denominators + job->Rows);
        int* ends = firsts + job->Rows;
        float* tile = (float*)(ends + job->Rows);

        int firstKey = int.MaxValue, endKey = 0;
        for (int r = 0; r < m; r++)
        {
            int row = firstRow + (r / form.GroupHeads), queryHead = (head * form.GroupHeads) + (r % form.GroupHeads);
            float* copy = query + ((nint)r * job->KeyStride);
            new ReadOnlySpan<float>(job->Source.Query.Row(row) + (queryHead * form.HeadSize), form.HeadSize).CopyTo(new(copy, form.HeadSize));
            new Span<float>(copy + form.HeadSize, job->KeyStride - form.HeadSize).Clear();
            // A sink is a key with a score and no value.
            maxima[r] = form.Sink(queryHead);
            denominators[r] = float.IsNegativeInfinity(maxima[r]) ? 0 : 1;
            job->Source.Visible(group, row, out firsts[r], out ends[r]);
            if (firsts[r] < ends[r])
            {
                firstKey = Math.Min(firstKey, firsts[r]);
                endKey = Math.Max(endKey, ends[r]);
            }
        }

        new Span<float>(sums, m * job->ValueStride).Clear();
        for (int start = firstKey & -TileKeys; start < endKey; start += TileKeys)
        {
            int from = Math.Max(start, firstKey), to = Math.Min(start + TileKeys, endKey);
            for (int position = from; position < to;)
            {
                float* keys = job->Source.Keys<TSimd, TVector>(group, head, position, to - position, tile, out nint stride, out int run);
                DotProducts.Run<TSimd, TVector>(
                    query, job->KeyStride, m, keys, stride, run, job->KeyStride, scores + (position - start), TileKeys, accumulate: false);
                position += run;
            }

            for (int r = 0; r < m; r++)
            {
                float* row = scores + ((nint)r * TileKeys);
                int first = Math.Clamp(firsts[r] - start, from - start, to - start), end = Math.Clamp(ends[r] - start, first, to - start);
                new Span<float>(row + (from - start), first - (from - start)).Clear();
                new Span<float>(row + end, to - start - end).Clear();
                if (first < end)
                {
                    Weigh<TSimd, TVector>(
                        row + first, end - first, form.Scale, form.SoftCap, ref maxima[r], ref denominators[r],
                        sums + ((nint)r * job->ValueStride), job->ValueStride);
                }
            }

            for (int position = from; position < to;)
            {
                float* values = job->Source.Values<TSimd, TVector>(group, head, position, to - position, tile, out nint stride, out int run);
                WeightedSums.Run<TSimd, TVector>(
                    scores + (position - start), TileKeys, m, values, stride, run, job->ValueStride, sums, job->ValueStride);
                position += run;
            }
        }

        for (int r = 0; r < m; r++)
        {
            int row = firstRow + (r / form.GroupHeads), queryHead = (head * form.GroupHeads) + (r % form.GroupHeads);
            float* output = job->Source.Output.Row(row) + (queryHead * form.ValueSize);
            float* sum = sums + ((nint)r * job->ValueStride);
            // Without a visible key there is nothing to average.
            float factor = denominators[r] == 0 ? 0 : 1 / denominators[r];
            for (int i = 0; i < form.ValueSize; i++)
                output[i] = sum[i] * factor;
        }
    }

    // Scores become weights e^(s - max); a new maximum shrinks what was summed so far.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<TSimd, TVector>(
        float* scores, int length, float scale, float softCap, ref float maximum, ref float denominator, float* sums, int valueStride)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count, i = 0;
        float max = maximum;
        TVector maxima = TSimd.Broadcast(float.NegativeInfinity);
        for (; i + width <= length; i += width)
        {
            TVector score = Form<TSimd, TVector>(TSimd.Load(scores + i), scale, softCap);
            TSimd.Store(scores + i, score);
            maxima = TSimd.Max(maxima, score);
        }

        max = MathF.Max(max, TSimd.MaxLane(maxima));
        for (; i < length; i++)
        {
            scores[i] = Form<FloatSimdScalar, float>(scores[i], scale, softCap);
            max = MathF.Max(max, scores[i]);
        }

        TVector total = TSimd.Broadcast(0), shift = TSimd.Broadcast(max);
        for (i = 0; i + width <= length; i += width)
        {
            TVector weight = SimdMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), shift));
            TSimd.Store(scores + i, weight);
            total = TSimd.Add(total, weight);
        }

        float sum = TSimd.Sum(total);
        for (; i < length; i++)
        {
            scores[i] = SimdMath.Exp<FloatSimdScalar, float>(scores[i] - max);
            sum += scores[i];
        }

        if (max > maximum)
        {
            float shrink = SimdMath.Exp<FloatSimdScalar, float>(maximum - max);
            denominator *= shrink;
            TVector factor = TSimd.Broadcast(shrink);
            for (i = 0; i < valueStride; i += width)
                TSimd.Store(sums + i, TSimd.Multiply(TSimd.Load(sums + i), factor));
            maximum = max;
        }

        denominator += sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Form<TSimd, TVector>(TVector score, float scale, float softCap)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        score = TSimd.Multiply(score, TSimd.Broadcast(scale));
        if (softCap > 0)
        {
            TVector cap = TSimd.Broadcast(softCap);
            score = TSimd.Multiply(cap, SimdMath.Tanh<TSimd, TVector>(TSimd.Divide(score, cap)));
        }

        return score;
    }

    private struct Job<TSource> where TSource : unmanaged, IAttentionSource
    {
        public TSource Source;
        public byte* Scratch;
        public long ScratchBytes;
        public int QueriesPerBlock, Blocks, Rows, KeyStride, ValueStride;
    }
}
