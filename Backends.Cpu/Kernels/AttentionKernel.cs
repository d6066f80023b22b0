using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// Attention in tiles with an online softmax (Milakov and Gimelshein 2018), never holding all scores. A unit of work is
/// a group (sequence or segment), a key head and a block of queries; the query heads that share the key head are rows of
/// the same block, so that each key and value is read once for all of them. Where that gives too few units, as for one
/// sequence that decodes, a unit is a part of the keys.
/// Tiles of keys start at multiples of their size, and spans of tiles at multiples of theirs. A row's weights and sums
/// within a tile depend on nothing but its own keys there; tiles are merged to spans and spans to the whole in ascending
/// order: no partition changes a bit.
/// </summary>
internal static unsafe class AttentionKernel
{
    // Keys per tile: their scores for all rows of a block stay in the second-level cache.
    private const int TileKeys = 128;

    // Keys per span, the least that a part of a unit has: merging its sums costs little beside reading them.
    private const int SpanKeys = 4 * TileKeys;

    // A row of scores: blocks of keys may begin before the tile and end after it.
    private const int ScoreStride = TileKeys + (2 * ScoreProducts.Lanes);

    // Rows (queries times query heads per key head) per block, which share the cost of copying a tile.
    private const int BlockRows = 192;

    // Multiply-adds below which waking a worker costs more than it saves.
    private const long InlineWork = 1 << 17;

    // Above this the parts' sums would take more memory than reading them is worth.
    private const int MostPartRows = 64;

    /// <summary>Attention over pages.</summary>
    public static void Run(in PagedAttentionJob job, WorkerPool pool, CpuWorkspace workspace) => Run(new PagedSource(job), pool, workspace);

    /// <summary>Attention inside segments.</summary>
    public static void Run(in SegmentAttentionJob job, WorkerPool pool, CpuWorkspace workspace) => Run(new SegmentSource(job), pool, workspace);

    /// <summary>Runs one width of the ladder.</summary>
    internal static void RunWith<TSimd, TVector, TSource>(TSource source, WorkerPool pool, CpuWorkspace workspace)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TSource : unmanaged, IAttentionSource =>
        Run(source, &Unit<TSimd, TVector, TSource>, &Merge<TSimd, TVector, TSource>, pool, workspace);

    private static void Run<TSource>(TSource source, WorkerPool pool, CpuWorkspace workspace)
        where TSource : unmanaged, IAttentionSource
    {
        if (Vector512.IsHardwareAccelerated)
            RunWith<FloatSimd512, Vector512<float>, TSource>(source, pool, workspace);
        else if (Vector256.IsHardwareAccelerated)
            RunWith<FloatSimd256, Vector256<float>, TSource>(source, pool, workspace);
        else if (Vector128.IsHardwareAccelerated)
            RunWith<FloatSimd128, Vector128<float>, TSource>(source, pool, workspace);
        else
            RunWith<FloatSimdScalar, float, TSource>(source, pool, workspace);
    }

    private static void Run<TSource>(
        TSource source, delegate*<void*, int, int, void> unit, delegate*<void*, int, int, void> merge, WorkerPool pool, CpuWorkspace workspace)
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
        Job<TSource> job = new() { Source = source, QueriesPerBlock = Math.Max(1, BlockRows / form.GroupHeads), Parts = 1 };
        job.Blocks = (longest + job.QueriesPerBlock - 1) / job.QueriesPerBlock;
        job.Rows = Align(Math.Min(job.QueriesPerBlock, longest) * form.GroupHeads, ScoreProducts.RowMultiple);
        job.ValueStride = CpuKvCache.Pad(form.ValueSize);
        job.StateFloats = ((long)job.Rows * job.ValueStride) + (2L * job.Rows);
        job.TileFloats = Math.Max((long)source.KeyBlocks(TileKeys) * ScoreProducts.Lanes * form.HeadSize, (long)TileKeys * job.ValueStride);
        long scratchBytes = (((long)job.Rows * (form.HeadSize + ScoreStride + 3)) + (3 * job.StateFloats) + job.TileFloats) * sizeof(float);
        job.Scratch = workspace.Private(ref scratchBytes);
        job.ScratchBytes = scratchBytes;
        int units = checked(source.Groups * job.Blocks * form.KeyHeads);
        work *= (long)form.KeyHeads * form.GroupHeads * (form.HeadSize + form.ValueSize);
        if (work < InlineWork)
        {
            for (int i = 0; i < units; i++)
                unit(&job, 0, i);
            return;
        }

        int spans = 1, parts = 1;
        if (pool.Threads > 1 && job.Blocks == 1 && job.Rows <= MostPartRows && units < 4 * pool.Threads)
        {
            spans = MostSpans(source);
            parts = (int)Math.Min(spans, Math.Min(work / InlineWork, 8L * pool.Threads) / units);
        }

        if (parts <= 1)
        {
            pool.Run(unit, &job, units);
            return;
        }

        job.SpansPerPart = (spans + parts - 1) / parts;
        job.Parts = (spans + job.SpansPerPart - 1) / job.SpansPerPart;
        job.Spans = job.Parts * job.SpansPerPart;
        job.States = (float*)workspace.Shared(checked(job.StateFloats * job.Spans * units * sizeof(float)));
        pool.Run(unit, &job, checked(units * job.Parts));
        for (int i = 0; i < units; i++)
            merge(&job, 0, i);
    }

    private static int MostSpans<TSource>(TSource source) where TSource : unmanaged, IAttentionSource
    {
        int most = 0;
        for (int g = 0; g < source.Groups; g++)
        {
            source.Rows(g, out int firstRow, out int endRow);
            int firstKey = int.MaxValue, endKey = 0;
            for (int row = firstRow; row < endRow; row++)
            {
                source.Visible(g, row, out int first, out int end);
                if (first < end)
                    (firstKey, endKey) = (Math.Min(firstKey, first), Math.Max(endKey, end));
            }

            if (firstKey < endKey)
                most = Math.Max(most, SpansBefore(endKey) - (firstKey / SpanKeys));
        }

        return most;
    }

    private static int SpansBefore(int endKey) => (int)(((long)endKey + SpanKeys - 1) / SpanKeys);

    private static int Align(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unit<TSimd, TVector, TSource>(void* argument, int worker, int chunk)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TSource : unmanaged, IAttentionSource
    {
        var job = (Job<TSource>*)argument;
        AttentionForm form = job->Source.Form;
        (int unit, int part) = Math.DivRem(chunk, job->Parts);
        if (!job->Find(unit, out int group, out int head, out int firstRow, out int endRow))
            return;

        int m = (endRow - firstRow) * form.GroupHeads, padded = Align(m, ScoreProducts.RowMultiple);
        float* query = (float*)(job->Scratch + (worker * job->ScratchBytes));
        float* scores = query + ((nint)job->Rows * form.HeadSize);
        float* running = scores + ((nint)job->Rows * ScoreStride);
        float* spanState = running + job->StateFloats;
        float* tileState = spanState + job->StateFloats;
        float* tile = tileState + job->StateFloats;
        int* firsts = (int*)(tile + job->TileFloats), ends = firsts + job->Rows, limits = ends + job->Rows;
        float** blocks = stackalloc float*[job->Source.KeyBlocks(TileKeys)];
        int* columns = stackalloc int[job->Source.KeyBlocks(TileKeys)];

        job->Range(group, firstRow, m, firsts, ends, out int firstKey, out int endKey);
        for (int r = 0; r < m; r++)
        {
            int row = firstRow + (r / form.GroupHeads), queryHead = (head * form.GroupHeads) + (r % form.GroupHeads);
            new ReadOnlySpan<float>(job->Source.Query.Row(row) + (queryHead * form.HeadSize), form.HeadSize)
                .CopyTo(new(query + ((nint)r * form.HeadSize), form.HeadSize));
        }

        new Span<float>(query + ((nint)m * form.HeadSize), (padded - m) * form.HeadSize).Clear();
        bool isWhole = job->Parts == 1;
        if (isWhole)
            BeginWithSink(job, head, m, running);
        int firstSpan = firstKey / SpanKeys, endSpan = SpansBefore(endKey);
        if (!isWhole)
        {
            endSpan = Math.Min(endSpan, firstSpan + ((part + 1) * job->SpansPerPart));
            firstSpan += part * job->SpansPerPart;
        }

        float* span = spanState;
        int fromKey = Math.Max(firstKey, firstSpan * SpanKeys), toKey = (int)Math.Min(endKey, (long)endSpan * SpanKeys);
        for (int from = fromKey, to; from < toKey; from = to)
        {
            to = (int)Math.Min(((from / TileKeys) + 1L) * TileKeys, toKey);
            if (from == fromKey || from % SpanKeys == 0)
            {
                span = isWhole ? spanState : job->State(unit, (from / SpanKeys) - (firstKey / SpanKeys));
                Begin(job, m, span);
            }

            for (int group4 = 0; group4 < padded; group4 += ScoreProducts.Rows)
            {
                int limit = 0;
                for (int r = group4; r < Math.Min(group4 + ScoreProducts.Rows, m); r++)
                    limit = Math.Max(limit, ends[r] - from);
                limits[group4 / ScoreProducts.Rows] = limit;
            }

            int count = job->Source.Keys<TSimd, TVector>(group, head, from, to, tile, blocks, columns);
            float* shifted = scores + ScoreProducts.Lanes;
            ScoreProducts.Run<TSimd, TVector>(query, padded, form.HeadSize, blocks, columns, count, limits, shifted, ScoreStride);

            float* maxima = tileState + ((nint)job->Rows * job->ValueStride), denominators = maxima + job->Rows;
            for (int r = 0; r < m; r++)
            {
                float* row = shifted + ((nint)r * ScoreStride);
                int first = Math.Clamp(firsts[r] - from, 0, to - from), end = Math.Clamp(ends[r] - from, first, to - from);
                new Span<float>(row, first).Clear();
                new Span<float>(row + end, to - from - end).Clear();
                denominators[r] = 0;
                if (first < end)
                    Weigh<TSimd, TVector>(row + first, end - first, form.Scale, form.SoftCap, out maxima[r], out denominators[r]);
            }

            new Span<float>(tileState, padded * job->ValueStride).Clear();
            for (int position = from; position < to;)
            {
                float* values = job->Source.Values<TSimd, TVector>(group, head, position, to - position, tile, out nint stride, out int run);
                WeightedSums.Run<TSimd, TVector>(
                    shifted + (position - from), ScoreStride, padded, values, stride, run, limits, position - from, job->ValueStride, tileState, job->ValueStride);
                position += run;
            }

            Add<TSimd, TVector>(job->Rows, job->ValueStride, m, tileState, span);
            if (isWhole && (to == toKey || to % SpanKeys == 0))
                Add<TSimd, TVector>(job->Rows, job->ValueStride, m, span, running);
        }

        if (isWhole)
            Finish(job, head, firstRow, m, running);
    }

    // Puts the spans of a unit's parts together.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Merge<TSimd, TVector, TSource>(void* argument, int worker, int unit)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TSource : unmanaged, IAttentionSource
    {
        var job = (Job<TSource>*)argument;
        AttentionForm form = job->Source.Form;
        if (!job->Find(unit, out int group, out int head, out int firstRow, out int endRow))
            return;
        int m = (endRow - firstRow) * form.GroupHeads;
        float* running = (float*)(job->Scratch + (worker * job->ScratchBytes));
        int* firsts = (int*)(running + job->StateFloats), ends = firsts + job->Rows;
        job->Range(group, firstRow, m, firsts, ends, out int firstKey, out int endKey);
        BeginWithSink(job, head, m, running);
        int spans = SpansBefore(endKey) - (firstKey / SpanKeys);
        for (int i = 0; i < spans; i++)
            Add<TSimd, TVector>(job->Rows, job->ValueStride, m, job->State(unit, i), running);
        Finish(job, head, firstRow, m, running);
    }

    private static void Begin<TSource>(Job<TSource>* job, int m, float* state) where TSource : unmanaged, IAttentionSource
    {
        float* maxima = state + ((nint)job->Rows * job->ValueStride);
        new Span<float>(state, m * job->ValueStride).Clear();
        new Span<float>(maxima, m).Fill(float.NegativeInfinity);
        new Span<float>(maxima + job->Rows, m).Clear();
    }

    // A sink is a key with a score and no value.
    private static void BeginWithSink<TSource>(Job<TSource>* job, int head, int m, float* state) where TSource : unmanaged, IAttentionSource
    {
        Begin(job, m, state);
        AttentionForm form = job->Source.Form;
        float* maxima = state + ((nint)job->Rows * job->ValueStride), denominators = maxima + job->Rows;
        for (int r = 0; r < m && form.Sinks is not null; r++)
        {
            maxima[r] = form.Sink((head * form.GroupHeads) + (r % form.GroupHeads));
            denominators[r] = float.IsNegativeInfinity(maxima[r]) ? 0 : 1;
        }
    }

    // The state of a tile or span into that of all before it: sums and denominators are relative to the larger maximum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<TSimd, TVector>(int rows, int valueStride, int m, float* tile, float* running)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        nint sums = (nint)rows * valueStride;
        for (int r = 0; r < m; r++)
        {
            float added = tile[sums + rows + r];
            if (added == 0)
                continue;
            float* maximum = running + sums + r;
            float before = *maximum, here = tile[sums + r], after = MathF.Max(before, here);
            float shrinkBefore = before == after ? 1 : SimdMath.Exp<FloatSimdScalar, float>(before - after);
            float shrinkHere = here == after ? 1 : SimdMath.Exp<FloatSimdScalar, float>(here - after);
            *maximum = after;
            maximum[rows] = (maximum[rows] * shrinkBefore) + (added * shrinkHere);
            TVector factorBefore = TSimd.Broadcast(shrinkBefore), factorHere = TSimd.Broadcast(shrinkHere);
            float* source = tile + ((nint)r * valueStride), sum = running + ((nint)r * valueStride);
            for (int i = 0; i < valueStride; i += TSimd.Count)
                TSimd.Store(sum + i, TSimd.MultiplyAdd(TSimd.Load(source + i), factorHere, TSimd.Multiply(TSimd.Load(sum + i), factorBefore)));
        }
    }

    private static void Finish<TSource>(Job<TSource>* job, int head, int firstRow, int m, float* state) where TSource : unmanaged, IAttentionSource
    {
        AttentionForm form = job->Source.Form;
        float* denominators = state + ((nint)job->Rows * (job->ValueStride + 1));
        for (int r = 0; r < m; r++)
        {
            int row = firstRow + (r / form.GroupHeads), queryHead = (head * form.GroupHeads) + (r % form.GroupHeads);
            float* output = job->Source.Output.Row(row) + (queryHead * form.ValueSize);
            float* sum = state + ((nint)r * job->ValueStride);
            // Without a visible key there is nothing to average.
            float factor = denominators[r] == 0 ? 0 : 1 / denominators[r];
            for (int i = 0; i < form.ValueSize; i++)
                output[i] = sum[i] * factor;
        }
    }

    // Scores become weights e^(s - max).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<TSimd, TVector>(float* scores, int length, float scale, float softCap, out float maximum, out float denominator)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int width = TSimd.Count, i = 0;
        TVector maxima = TSimd.Broadcast(float.NegativeInfinity);
        for (; i + width <= length; i += width)
        {
            TVector score = Form<TSimd, TVector>(TSimd.Load(scores + i), scale, softCap);
            TSimd.Store(scores + i, score);
            maxima = TSimd.Max(maxima, score);
        }

        float max = TSimd.MaxLane(maxima);
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

        maximum = max;
        denominator = sum;
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
        public float* States;
        public long ScratchBytes, StateFloats, TileFloats;
        public int QueriesPerBlock, Blocks, Rows, ValueStride, Parts, SpansPerPart, Spans;

        /// <summary>Sums [rows][value stride], maxima [rows], denominators [rows] of a span of a unit whose parts are apart.</summary>
        public readonly float* State(int unit, int span) => States + ((((long)unit * Spans) + span) * StateFloats);

        /// <summary>What a unit is, and whether it has rows.</summary>
        public readonly bool Find(int unit, out int group, out int head, out int firstRow, out int endRow)
        {
            (int rest, head) = Math.DivRem(unit, Source.Form.KeyHeads);
            (group, int block) = Math.DivRem(rest, Blocks);
            Source.Rows(group, out firstRow, out endRow);
            // The last block of a causal sequence sees most: it goes first.
            firstRow += (Blocks - 1 - block) * QueriesPerBlock;
            endRow = Math.Min(endRow, firstRow + QueriesPerBlock);
            return firstRow < endRow;
        }

        /// <summary>The keys that each row sees, and those that any does: none is from 0 to 0.</summary>
        public readonly void Range(int group, int firstRow, int m, int* firsts, int* ends, out int firstKey, out int endKey)
        {
            firstKey = int.MaxValue;
            endKey = 0;
            for (int r = 0; r < m; r++)
            {
                Source.Visible(group, firstRow + (r / Source.Form.GroupHeads), out firsts[r], out ends[r]);
                if (firsts[r] < ends[r])
                {
                    firstKey = Math.Min(firstKey, firsts[r]);
                    endKey = Math.Max(endKey, ends[r]);
                }
            }

            firstKey = Math.Min(firstKey, endKey);
        }
    }
}
