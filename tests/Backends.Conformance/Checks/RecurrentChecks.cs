namespace Portable.Conformance;

/// <summary>Operators with a state that goes from step to step: the causal convolution and the gated delta rule.</summary>
internal static class RecurrentChecks
{
    public static IEnumerable<Check> All()
    {
        foreach (int taps in new[] { 2, 4, 5 })
        {
            foreach (int channels in new[] { 1, 7, 64, 100 })
                yield return new($"CausalConvolution of {taps} taps, {channels} channels, step after step", bench => Convolution(bench, taps, channels));
        }

        foreach ((int keyHeads, int valueHeads, int keySize, int valueSize, bool isTiled) in new[] { (1, 1, 4, 3, false), (2, 4, 16, 16, false), (2, 4, 16, 16, true), (3, 3, 8, 40, false) })
        {
            yield return new(
                $"GatedDelta, {keyHeads} key heads of {keySize}, {valueHeads} value heads of {valueSize}{(isTiled ? ", tiled" : "")}, step after step",
                bench => Delta(bench, keyHeads, valueHeads, keySize, valueSize, isTiled));
        }
    }

    // Two sequences of which one pauses in a step; the last step has single rows, as decoding does.
    private static readonly int[][] Steps = [[5, 2], [0, 9], [1, 1]];

    private static void Convolution(Bench bench, int taps, int channels)
    {
        Bench.Offered(bench.Device.Capabilities.Operators.Contains(Operator.CausalConvolution), "CausalConvolution");
        Matrix weights = bench.Input(taps, channels, type: ElementType.Float32);
        int stateSize = (taps - 1) * channels;
        Matrix states = bench.Input(2, stateSize, type: ElementType.Float32);
        List<double[]>[] seen = [.. Enumerable.Range(0, 2).Select(s => Enumerable.Range(0, taps - 1).Select(j => states.Row(s).Slice(j * channels, channels).ToArray()).ToList())];
        foreach (int[] lengths in Steps)
        {
            int total = lengths.Sum();
            Matrix input = bench.Input(total, channels, Layout.Strided), output = bench.Output(total, channels, Layout.Strided);
            bench.Stream.CausalConvolution(input.View, weights.View, states.View, Batch(bench, lengths), output.View);
            var expected = new Expected(total, channels);
            for (int s = 0, row = 0; s < 2; s++)
            {
                for (int t = 0; t < lengths[s]; t++, row++)
                {
                    seen[s].Add(input.Row(row).ToArray());
                    for (int c = 0; c < channels; c++)
                    {
                        double sum = 0, magnitude = 0;
                        for (int k = 0; k < taps; k++)
                        {
                            double term = weights.Row(k)[c] * seen[s][^(taps - k)][c];
                            sum += term;
                            magnitude += Math.Abs(term);
                        }

                        expected.Set(row, c, sum, magnitude);
                    }
                }
            }

            bench.Compare(output, expected, $"lengths {string.Join(' ', lengths)}");
        }

        double[] left = [.. seen.SelectMany(rows => rows.TakeLast(taps - 1).SelectMany(r => r))];
        Bench.Holds(bench.Read(states).SequenceEqual(left), "the states after the last step");
    }

    private static void Delta(Bench bench, int keyHeads, int valueHeads, int keySize, int valueSize, bool isTiled)
    {
        Bench.Offered(bench.Device.Capabilities.Operators.Contains(Operator.GatedDelta), "GatedDelta");
        Matrix rates = bench.Vector(valueHeads, () => -0.1 - bench.Random.NextDouble()), biases = bench.Vector(valueHeads);
        var rule = new GatedDeltaRule(keyHeads, valueHeads, keySize, valueSize, rates.View, biases.View) { AreKeyHeadsTiled = isTiled };
        Matrix states = bench.Input(2, rule.StateSize, draw: () => 0.3 * bench.Normal(), type: ElementType.Float32);
        double[] held = [.. states.Values];
        double size = 1 / Math.Sqrt(keySize);
        foreach (int[] lengths in Steps)
        {
            int total = lengths.Sum();
            Matrix query = bench.Input(total, keyHeads * keySize, Layout.Strided, () => size * bench.Normal());
            Matrix key = bench.Input(total, keyHeads * keySize, Layout.Strided, () => size * bench.Normal());
            Matrix value = bench.Input(total, valueHeads * valueSize, Layout.Strided), output = bench.Output(total, valueHeads * valueSize);
            Matrix decay = bench.Input(total, valueHeads, Layout.Strided, type: ElementType.Float32), beta = bench.Input(total, valueHeads, type: ElementType.Float32);
            bench.Stream.GatedDelta(query.View, key.View, value.View, decay.View, beta.View, rule, states.View, Batch(bench, lengths), output.View);
            var expected = new Expected(total, valueHeads * valueSize);
            for (int s = 0, row = 0; s < 2; s++)
            {
                for (int t = 0; t < lengths[s]; t++, row++)
                {
                    for (int head = 0; head < valueHeads; head++)
                    {
                        int from = keySize * (isTiled ? head % keyHeads : head / (valueHeads / keyHeads)), at = (s * rule.StateSize) + (head * keySize * valueSize);
                        double shrink = Math.Exp(rates.Values[head] * Math.Log(1 + Math.Exp(decay.Row(row)[head] + biases.Values[head])));
                        double step = 1 / (1 + Math.Exp(-beta.Row(row)[head]));
                        for (int j = 0; j < valueSize; j++)
                        {
                            double memory = 0, sum = 0, magnitude = 0;
                            for (int i = 0; i < keySize; i++)
                                memory += key.Row(row)[from + i] * held[at + (i * valueSize) + j] * shrink;
                            double delta = step * (value.Row(row)[(head * valueSize) + j] - memory);
                            for (int i = 0; i < keySize; i++)
                            {
                                double updated = (held[at + (i * valueSize) + j] * shrink) + (key.Row(row)[from + i] * delta);
                                held[at + (i * valueSize) + j] = updated;
                                sum += query.Row(row)[from + i] * updated;
                                magnitude += Math.Abs(query.Row(row)[from + i] * updated);
                            }

                            expected.Set(row, (head * valueSize) + j, sum, magnitude + 1);
                        }
                    }
                }
            }

            bench.Compare(output, expected, $"lengths {string.Join(' ', lengths)}");
        }
    }

    private static SegmentBatch Batch(Bench bench, int[] lengths) =>
        new(bench.Ints(1, 0, lengths[0], lengths[0] + lengths[1]), 2, lengths.Max());
}
