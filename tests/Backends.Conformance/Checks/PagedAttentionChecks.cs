namespace Portable.Conformance;

/// <summary>KV writes and causal attention over scattered pages, for mixed batches.</summary>
internal static class PagedAttentionChecks
{
    /// <summary>One sequence of a batch: tokens already in the cache, and tokens of this step.</summary>
    private readonly record struct Sequence(int Past, int New);

    private static readonly Sequence[] Mixed = [new(40, 1), new(0, 9), new(7, 1), new(16, 5), new(0, 1), new(33, 0), new(15, 18)];

    public static IEnumerable<Check> All()
    {
        foreach (int size in new[] { 16, 20, 32, 40, 64, 80, 128 })
        {
            foreach ((int queryHeads, int keyHeads) in new[] { (2, 2), (4, 1), (6, 2), (3, 3) })
            {
                yield return new($"PagedAttention, heads of {size}, {queryHeads} query and {keyHeads} key heads, prefill and decode mixed", bench =>
                    Run(bench, Mixed, new AttentionParameters(queryHeads, keyHeads, size, 1 / MathF.Sqrt(size))));
            }
        }

        AttentionParameters form = new(4, 2, 32, 0.2f);
        foreach (KvFormat format in Enum.GetValues<KvFormat>())
        {
            yield return new($"PagedAttention, KV as {format}", bench =>
            {
                Bench.Offered(bench.Device.Capabilities.KvFormats.Contains(format), $"KV as {format}");
                Run(bench, Mixed, form, format: format);
                Run(bench, Mixed, form with { ValueSize = 48 }, format: format);
            });
        }

        foreach (int pageSize in new[] { 1, 8, 16, 32, 64, 128, 256 })
        {
            yield return new($"PagedAttention, pages of {pageSize}", bench =>
            {
                Bench.Offered(bench.Device.Capabilities.PageSizes.Contains(pageSize), $"pages of {pageSize}");
                Run(bench, Mixed, form, pageSize: pageSize);
            });
        }

        foreach (int rows in new[] { 1, 2, 3, 7, 8, 33 })
            yield return new($"PagedAttention, prefill of {rows} tokens", bench => Run(bench, [new(0, rows)], form));
        yield return new("PagedAttention, a batch of decodes only", bench =>
            Run(bench, [.. Enumerable.Range(0, 33).Select(i => new Sequence(i * 5, 1))], form));
        yield return new("PagedAttention, one decode over a long context", bench => Run(bench, [new(1500, 1)], form));
        yield return new("PagedAttention, a long prompt in chunks equals the prompt at once", Chunked);
        yield return new("PagedAttention, window", bench =>
        {
            Needs(bench, AttentionFeatures.Window);
            foreach (int window in new[] { 1, 2, 16, 17, 1000 })
                Run(bench, Mixed, form with { Window = window });
        });
        yield return new("PagedAttention, window, pages before it given away to another sequence", bench =>
        {
            Needs(bench, AttentionFeatures.Window);
            Run(bench, [new(200, 3), new(150, 1)], form with { Window = 20 }, dropsOldPages: true);
        });
        yield return new("PagedAttention, soft cap", bench =>
        {
            Needs(bench, AttentionFeatures.SoftCap);
            Run(bench, Mixed, form with { SoftCap = 1.5f });
        });
        yield return new("PagedAttention, sinks", bench =>
        {
            Needs(bench, AttentionFeatures.Sinks);
            Run(bench, Mixed, form, hasSinks: true);
        });
        yield return new("PagedAttention, values of another size than keys", bench =>
        {
            Needs(bench, AttentionFeatures.ValueSize);
            foreach (int valueSize in new[] { 16, 48, 128 })
                Run(bench, Mixed, form with { ValueSize = valueSize });
        });
        yield return new("PagedAttention, bidirectional spans", bench =>
        {
            Needs(bench, AttentionFeatures.BidirectionalSpans);
            Run(bench, Mixed, form, hasSpans: true);
            Run(bench, Mixed, form with { Window = 5 }, hasSpans: true);
        });
        yield return new("PagedAttention, window, soft cap, sinks, spans and value size together", bench =>
        {
            Needs(bench, AttentionFeatures.Window | AttentionFeatures.SoftCap | AttentionFeatures.Sinks | AttentionFeatures.BidirectionalSpans | AttentionFeatures.ValueSize);
            Run(bench, Mixed, form with { Window = 6, SoftCap = 3, ValueSize = 20 }, hasSinks: true, hasSpans: true);
        });
        yield return new("PagedAttention, strided queries and outputs", bench => Run(bench, Mixed, form, layout: Layout.Strided));
        yield return new("PagedAttention, large scores do not overflow", bench => Run(bench, Mixed, form with { Scale = 20 }));
        yield return new("KvWrite skips negative slots and keeps layers apart", Padding);
    }

    private static void Needs(Bench bench, AttentionFeatures features) =>
        Bench.Offered((bench.Device.Capabilities.Attention & features) == features, $"attention with {features}");

    private static void Run(
        Bench bench, Sequence[] sequences, AttentionParameters form, KvFormat? format = null, int? pageSize = null,
        Layout layout = Layout.Dense, bool hasSinks = false, bool hasSpans = false, bool dropsOldPages = false)
    {
        DeviceCapabilities offered = bench.Device.Capabilities;
        Bench.Offered(form.HeadSize % offered.HeadSizeMultiple == 0 && form.HeadSize <= offered.MaxHeadSize, $"heads of {form.HeadSize}");
        var pages = new Pages(bench, sequences, form, format ?? offered.KvFormats[0], pageSize ?? offered.PageSizes[0], layers: 2);
        const int Layer = 1;
        pages.Write(bench, Layer, layout);
        int rows = sequences.Sum(s => s.New);
        Matrix query = bench.Input(rows, form.QueryHeads * form.HeadSize, layout), output = bench.Output(rows, form.QueryHeads * form.ValueHeadSize, layout);
        Matrix? sinks = hasSinks ? bench.Vector(form.QueryHeads, () => bench.Normal() * 2) : null;
        AttentionParameters used = form with { Sinks = sinks?.View };
        int[] ends = Ends(bench, sequences, hasSpans);
        var batch = new PagedBatch(
            bench.Ints(1, Offsets(sequences)), bench.Ints(1, [.. sequences.Select(s => s.Past + s.New)]), pages.Table(bench, dropsOldPages ? form.Window : 0),
            sequences.Length, sequences.Max(s => s.New), sequences.Max(s => s.Past + s.New))
        {
            VisibleEnds = hasSpans ? bench.Ints(1, ends) : null,
        };
        bench.Stream.PagedAttention(query.View, pages.Cache, Layer, batch, used, output.View);
        var expected = new Expected(rows, form.QueryHeads * form.ValueHeadSize);
        int row = 0;
        for (int s = 0; s < sequences.Length; s++)
        {
            for (int i = 0; i < sequences[s].New; i++, row++)
            {
                int position = sequences[s].Past + i, start = form.Window > 0 ? Math.Max(0, position - form.Window + 1) : 0;
                ReferenceAttention.Set(
                    expected, row, query.Row(row), pages.Keys[s], pages.Values[s], start, ends[row], used, sinks?.Values, bench.Activation, pages.Error);
            }
        }

        bench.Compare(output, expected, $"{form}");
    }

    private static int[] Offsets(Sequence[] sequences)
    {
        int[] offsets = new int[sequences.Length + 1];
        for (int s = 0; s < sequences.Length; s++)
            offsets[s + 1] = offsets[s] + sequences[s].New;
        return offsets;
    }

    // With spans: runs of up to 4 tokens of a step see each other.
    private static int[] Ends(Bench bench, Sequence[] sequences, bool hasSpans)
    {
        var ends = new List<int>();
        foreach (Sequence sequence in sequences)
        {
            int end = 0;
            for (int i = 0; i < sequence.New; i++)
            {
                if (i >= end)
                    end = hasSpans ? Math.Min(sequence.New, i + bench.Random.Next(1, 5)) : i + 1;
                ends.Add(sequence.Past + (hasSpans ? end : i + 1));
            }
        }

        return [.. ends];
    }

    private static void Chunked(Bench bench)
    {
        AttentionParameters form = new(4, 2, 32, 0.2f);
        DeviceCapabilities offered = bench.Device.Capabilities;
        const int Length = 50;
        var pages = new Pages(bench, [new(0, Length)], form, offered.KvFormats[0], offered.PageSizes[0], layers: 1);
        Matrix query = bench.Input(Length, 4 * 32), output = bench.Output(Length, 4 * 32);
        int done = 0;
        foreach (int chunk in new[] { 17, 1, 30, 2 })
        {
            pages.Write(bench, 0, Layout.Dense, done, chunk);
            var batch = new PagedBatch(bench.Ints(1, 0, chunk), bench.Ints(1, done + chunk), pages.Table(bench, 0), 1, chunk, Length);
            bench.Stream.PagedAttention(query.View.SliceRows(done, chunk), pages.Cache, 0, batch, form, output.View.SliceRows(done, chunk));
            done += chunk;
        }

        var expected = new Expected(Length, 4 * 32);
        for (int t = 0; t < Length; t++)
            ReferenceAttention.Set(expected, t, query.Row(t), pages.Keys[0], pages.Values[0], 0, t + 1, form, null, bench.Activation, pages.Error);
        bench.Compare(output, expected, "chunks of 17, 1, 30 and 2");
    }

    private static void Padding(Bench bench)
    {
        AttentionParameters form = new(2, 2, 16, 0.25f);
        DeviceCapabilities offered = bench.Device.Capabilities;
        var pages = new Pages(bench, [new(0, 6)], form, offered.KvFormats[0], offered.PageSizes[0], layers: 3);
        for (int layer = 0; layer < 3; layer += 2)
        {
            // Other values in the neighbouring layers, and in the padding of this one, must not matter.
            Matrix other = bench.Input(6, 32);
            bench.Stream.KvWrite(other.View, other.View, pages.Cache, layer, bench.Ints(1, pages.Slots(0, 0, 6)));
        }

        pages.Write(bench, 1, Layout.Dense);
        Matrix padding = bench.Input(3, 32);
        bench.Stream.KvWrite(padding.View, padding.View, pages.Cache, 1, bench.Ints(1, -1, -1, int.MinValue));
        Matrix query = bench.Input(6, 32), output = bench.Output(6, 32);
        bench.Stream.PagedAttention(query.View, pages.Cache, 1, new PagedBatch(bench.Ints(1, 0, 6), bench.Ints(1, 6), pages.Table(bench, 0), 1, 6, 6), form, output.View);
        var expected = new Expected(6, 32);
        for (int t = 0; t < 6; t++)
            ReferenceAttention.Set(expected, t, query.Row(t), pages.Keys[0], pages.Values[0], 0, t + 1, form, null, bench.Activation, pages.Error);
        bench.Compare(output, expected, "the middle layer of three");
    }

    /// <summary>A cache whose pages are dealt to the sequences in random order, and what they should hold.</summary>
    private sealed class Pages
    {
        private readonly int[][] _pages;
        private readonly Sequence[] _sequences;
        private readonly AttentionParameters _form;

        public Pages(Bench bench, Sequence[] sequences, AttentionParameters form, KvFormat format, int pageSize, int layers)
        {
            _sequences = sequences;
            _form = form;
            int[] counts = [.. sequences.Select(s => (s.Past + s.New + pageSize - 1) / pageSize)];
            int[] order = [.. Enumerable.Range(0, counts.Sum() + 2)];
            bench.Random.Shuffle(order);
            int taken = 0;
            _pages = [.. counts.Select(c => order[taken..(taken += c)])];
            var layout = new KvCacheLayout(layers, form.KeyHeads, form.HeadSize, form.ValueHeadSize, pageSize, order.Length, format);
            Cache = bench.Own(bench.Device.CreateKvCache(layout));
            Bench.Holds(Cache.Bytes == bench.Device.KvCacheBytes(layout), $"the cache takes {Cache.Bytes} bytes, KvCacheBytes said {bench.Device.KvCacheBytes(layout)}");
            ElementType held = format == KvFormat.Float16 ? ElementType.Float16 : bench.Activation;
            Keys = [.. sequences.Select(s => Rows(bench, s.Past + s.New, form.KeyHeads * form.HeadSize, held))];
            Values = [.. sequences.Select(s => Rows(bench, s.Past + s.New, form.KeyHeads * form.ValueHeadSize, held))];
            // Half a step of 254 or of 15, relative to the largest value of a head (whose range is at most twice that).
            Error = format switch { KvFormat.Int8 => 1.01 / 254, KvFormat.Int4 => 1.01 / 15, _ => 0 };
        }

        public KvCache Cache { get; }

        public double[][][] Keys { get; }

        public double[][][] Values { get; }

        public double Error { get; }

        public int[] Slots(int sequence, int first, int count) =>
            [.. Enumerable.Range(first, count).Select(p => (_pages[sequence][p / Cache.Layout.PageSize] * Cache.Layout.PageSize) + (p % Cache.Layout.PageSize))];

        /// <summary>Writes all tokens of all sequences, packed in one call, or some of the only sequence.</summary>
        public void Write(Bench bench, int layer, Layout layout, int first = 0, int count = -1)
        {
            (int Sequence, int Position)[] tokens = count >= 0
                ? [.. Enumerable.Range(first, count).Select(p => (0, p))]
                : [.. _sequences.SelectMany((s, i) => Enumerable.Range(0, s.Past + s.New).Select(p => (i, p)))];
            Matrix keys = Packed(bench, tokens, Keys, layout), values = Packed(bench, tokens, Values, layout);
            bench.Stream.KvWrite(keys.View, values.View, Cache, layer, bench.Ints(1, [.. tokens.Select(t => Slots(t.Sequence, t.Position, 1)[0])]));
        }

        /// <summary>
        /// The page table. Entries past a sequence's end hold a page number that does not exist; those before a window,
        /// where asked, the page of another sequence.
        /// </summary>
        public TensorView Table(Bench bench, int dropBeforeWindow)
        {
            int width = _pages.Max(p => p.Length) + 1;
            int[] table = new int[_pages.Length * width];
            Array.Fill(table, 0x7FFF7FFF);
            for (int s = 0; s < _pages.Length; s++)
            {
                _pages[s].CopyTo(table, s * width);
                if (dropBeforeWindow > 0)
                    Array.Fill(table, _pages[^1][^1], s * width, Math.Max(0, _sequences[s].Past - dropBeforeWindow + 1) / Cache.Layout.PageSize);
            }

            return bench.Ints(_pages.Length, table);
        }

        private static double[][] Rows(Bench bench, int rows, int columns, ElementType held) =>
            [.. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, columns).Select(_ => Numbers.Round(bench.Normal(), held)).ToArray())];

        private static Matrix Packed(Bench bench, (int Sequence, int Position)[] tokens, double[][][] rows, Layout layout)
        {
            int columns = rows.First(r => r.Length > 0)[0].Length, i = 0;
            return bench.Input(tokens.Length, columns, layout, () =>
            {
                (int sequence, int position) = tokens[i / columns];
                return rows[sequence][position][i++ % columns];
            });
        }
    }
}
