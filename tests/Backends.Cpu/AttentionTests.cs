using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>Tiled attention against one query head at a time in float64, at every width.</summary>
[TestFixtureSource(typeof(Values), nameof(Values.Widths))]
public sealed unsafe class AttentionTests(int lanes)
{
    public static IEnumerable<AttentionParameters> Forms()
    {
        yield return new(2, 2, 16, 0.25f);
        yield return new(6, 2, 80, 0.11f);
        yield return new(9, 3, 64, 0.125f) { Window = 5 };
        yield return new(8, 1, 24, 0.2f) { SoftCap = 3 };
        yield return new(4, 2, 33, 0.17f) { ValueSize = 7 };
        yield return new(4, 4, 1, 1f) { ValueSize = 40, Window = 200, SoftCap = 20 };
    }

    [Test]
    public void Segment_attention_matches_the_scalar_form([ValueSource(nameof(Forms))] AttentionParameters form, [Values] bool causal, [Values] bool sinks)
    {
        int[] offsets = [2, 2, 5, 305, 306];
        const int Tokens = 310;
        int queries = form.QueryHeads * form.HeadSize, keys = form.KeyHeads * form.HeadSize, values = form.KeyHeads * form.ValueHeadSize;
        using GuardedMemory q = GuardedMemory.Of<float>(Values.Normal(1, Tokens * queries)), k = GuardedMemory.Of<float>(Values.Normal(2, Tokens * keys));
        using GuardedMemory v = GuardedMemory.Of<float>(Values.Normal(3, Tokens * values)), s = GuardedMemory.Of<int>(offsets);
        int outputs = form.QueryHeads * form.ValueHeadSize;
        using var actual = new GuardedMemory(Tokens * outputs * sizeof(float));
        using var expected = new GuardedMemory(Tokens * outputs * sizeof(float));
        using var device = new TestDevice();
        SegmentAttentionJob job = new()
        {
            Query = new(q.Floats, queries, Tokens, queries),
            Keys = new(k.Floats, keys, Tokens, keys),
            Values = new(v.Floats, values, Tokens, values),
            Output = new(actual.Floats, outputs, Tokens, outputs),
            Form = new(form with { Sinks = sinks ? device.Floats(1, form.QueryHeads, Values.Normal(5, form.QueryHeads)) : null }),
            Offsets = (int*)s.Pointer,
            Segments = offsets.Length - 1,
            Causal = causal,
        };
        Run(new SegmentSource(job));
        job.Output = new(expected.Floats, outputs, Tokens, outputs);
        ScalarSegmentAttention.Run(job);
        Values.AssertClose(actual.As<float>(), expected.As<float>(), 1e-5, 2e-6, $"{form}");
    }

    [Test]
    public void Paged_attention_matches_the_scalar_form(
        [ValueSource(nameof(Forms))] AttentionParameters form, [Values] bool spans, [Values(16, 32, 5)] int pageSize, [Values(KvFormat.Float32, KvFormat.Float16)] KvFormat format)
    {
        using var device = new TestDevice();
        using PagedCase paged = PagedCase.Make(device, form, spans, pageSize, format);
        int outputs = form.QueryHeads * form.ValueHeadSize;
        using var actual = new GuardedMemory(paged.Tokens * outputs * sizeof(float));
        using var expected = new GuardedMemory(paged.Tokens * outputs * sizeof(float));
        PagedAttentionJob job = paged.Job;
        job.Output = new(actual.Floats, outputs, paged.Tokens, outputs);
        Run(new PagedSource(job));
        job.Output = new(expected.Floats, outputs, paged.Tokens, outputs);
        ScalarPagedAttention.Run(job);
        Values.AssertClose(actual.As<float>(), expected.As<float>(), 1e-5, 2e-6, $"{form}");
    }

    [Test]
    public void A_few_queries_over_many_keys_have_the_same_bits_for_any_number_of_threads([ValueSource(nameof(Forms))] AttentionParameters form, [Values(1, 5)] int queries)
    {
        const int Context = 1337, PageSize = 32;
        using var device = new TestDevice();
        int[] table = [.. Enumerable.Range(0, (Context / PageSize) + 1)];
        new Random(6).Shuffle(table);
        int[] slots = [.. Enumerable.Range(0, Context).Select(p => (table[p / PageSize] * PageSize) + (p % PageSize))];
        var cache = (CpuKvCache)device.Cache(new(1, form.KeyHeads, form.HeadSize, form.ValueHeadSize, PageSize, table.Length, KvFormat.Float16));
        device.Stream.KvWrite(device.Normal(1, Context, form.KeyHeads * form.HeadSize), device.Normal(2, Context, form.KeyHeads * form.ValueHeadSize), cache, 0, device.Ints(slots));
        int width = form.QueryHeads * form.HeadSize, outputs = form.QueryHeads * form.ValueHeadSize;
        using GuardedMemory query = GuardedMemory.Of<float>(Values.Normal(3, queries * width)), pages = GuardedMemory.Of<int>(table);
        using GuardedMemory offsets = GuardedMemory.Of<int>([0, queries]), contexts = GuardedMemory.Of<int>([Context]);
        PagedAttentionJob job = new()
        {
            Query = new(query.Floats, width, queries, width),
            Form = new(form with { Sinks = device.Floats(1, form.QueryHeads, Values.Normal(5, form.QueryHeads)) }),
            Keys = cache.Keys(0, 0, 0),
            Values = cache.Values(0, 0, 0),
            ValueStride = cache.ValueStride,
            PageSize = PageSize,
            IsHalf = true,
            Offsets = (int*)offsets.Pointer,
            Contexts = (int*)contexts.Pointer,
            PageTable = (int*)pages.Pointer,
            PageTableStride = table.Length,
            Sequences = 1,
        };
        float[] one = Attend(threads: 1);
        using var expected = new GuardedMemory(queries * outputs * sizeof(float));
        job.Output = new(expected.Floats, outputs, queries, outputs);
        ScalarPagedAttention.Run(job);
        Values.AssertClose(one, expected.As<float>(), 1e-5, 2e-6, $"{form}");
        Assert.That(Attend(threads: 2), Is.EqualTo(one));
        Assert.That(Attend(threads: 3), Is.EqualTo(one));

        float[] Attend(int threads)
        {
            using var output = new GuardedMemory(queries * outputs * sizeof(float));
            using var pool = new WorkerPool(threads);
            using var workspace = new CpuWorkspace(threads);
            job.Output = new(output.Floats, outputs, queries, outputs);
            var body = new AttentionBody<PagedSource>(new PagedSource(job), pool, workspace);
            Values.AtWidth(lanes, ref body);
            return output.As<float>().ToArray();
        }
    }

    private void Run<TSource>(TSource source) where TSource : unmanaged, IAttentionSource
    {
        using var pool = new WorkerPool(2);
        using var workspace = new CpuWorkspace(2);
        var body = new AttentionBody<TSource>(source, pool, workspace);
        Values.AtWidth(lanes, ref body);
    }

    private readonly struct AttentionBody<TSource>(TSource source, WorkerPool pool, CpuWorkspace workspace) : IWidthBody
        where TSource : unmanaged, IAttentionSource
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            AttentionKernel.RunWith<TSimd, TVector, TSource>(source, pool, workspace);
    }
}

/// <summary>Three sequences in scattered pages: a prefill, a decode and a chunk in the middle of a context.</summary>
internal sealed unsafe class PagedCase : IDisposable
{
    private static readonly int[] Contexts = [150, 67, 290];
    private static readonly int[] Queries = [150, 1, 30];
    private readonly GuardedMemory _query, _offsets, _contexts, _ends, _table;

    private PagedCase(float[] query, int[] ends, int[] table)
    {
        _query = GuardedMemory.Of<float>(query);
        _offsets = GuardedMemory.Of<int>([0, 150, 151, 181]);
        _contexts = GuardedMemory.Of<int>(Contexts);
        _ends = GuardedMemory.Of<int>(ends);
        _table = GuardedMemory.Of<int>(table);
    }

    public int Tokens => 181;

    public PagedAttentionJob Job { get; private set; }

    public static PagedCase Make(TestDevice device, AttentionParameters form, bool spans, int pageSize, KvFormat format)
    {
        int perSequence = (300 + pageSize - 1) / pageSize, keys = form.KeyHeads * form.HeadSize, values = form.KeyHeads * form.ValueHeadSize;
        int[] table = [.. Enumerable.Range(0, 3 * perSequence)];
        new Random(4).Shuffle(table);
        var cache = (CpuKvCache)device.Cache(new(2, form.KeyHeads, form.HeadSize, form.ValueHeadSize, pageSize, 3 * perSequence, format));
        for (int s = 0; s < 3; s++)
        {
            int[] slots = [.. Enumerable.Range(0, Contexts[s]).Select(p => (table[(s * perSequence) + (p / pageSize)] * pageSize) + (p % pageSize))];
            device.Stream.KvWrite(device.Normal(s, slots.Length, keys), device.Normal(s + 10, slots.Length, values), cache, 1, device.Ints(slots));
        }

        var ends = new List<int>();
        for (int s = 0; s < 3; s++)
        {
            for (int p = Contexts[s] - Queries[s]; p < Contexts[s]; p++)
                ends.Add(p is >= 20 and < 60 or >= 265 and < 275 ? Math.Min(p < 60 ? 60 : 275, Contexts[s]) : p + 1);
        }

        int width = form.QueryHeads * form.HeadSize;
        var made = new PagedCase(Values.Normal(77, 181 * width), [.. ends], table);
        made.Job = new()
        {
            Query = new(made._query.Floats, width, 181, width),
            Form = new(form),
            Keys = cache.Keys(1, 0, 0),
            Values = cache.Values(1, 0, 0),
            ValueStride = cache.ValueStride,
            PageSize = pageSize,
            IsHalf = format == KvFormat.Float16,
            Offsets = (int*)made._offsets.Pointer,
            Contexts = (int*)made._contexts.Pointer,
            VisibleEnds = spans ? (int*)made._ends.Pointer : null,
            PageTable = (int*)made._table.Pointer,
            PageTableStride = perSequence,
            Sequences = 3,
        };
        return made;
    }

    public void Dispose()
    {
        _query.Dispose();
        _offsets.Dispose();
        _contexts.Dispose();
        _ends.Dispose();
        _table.Dispose();
    }
}
