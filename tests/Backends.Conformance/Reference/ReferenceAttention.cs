namespace Portable.Conformance;

/// <summary>Attention in double precision, one query and head at a time.</summary>
internal static class ReferenceAttention
{
    // Relative error of a float32 dot product of up to 256 terms, and of float32 exponentials.
    private const double ScoreError = 4e-6;

    /// <summary>
    /// Sets all heads of one query over keys start … end - 1. An error d in a score changes its share by at most
    /// exp(2 d) - 1 of itself; shares may be rounded to the activation type before they meet the values; keys and values may be off by
    /// the rounding of the cache.
    /// </summary>
    public static void Set(
        Expected expected, int row, ReadOnlySpan<double> query, double[][] keys, double[][] values, int start, int end,
        in AttentionParameters form, double[]? sinks, ElementType activation, double cacheError = 0)
    {
        int size = form.HeadSize, valueSize = form.ValueHeadSize;
        for (int head = 0; head < form.QueryHeads; head++)
        {
            int keyHead = head * form.KeyHeads / form.QueryHeads;
            double[] scores = new double[end - start];
            double largest = sinks is null ? double.NegativeInfinity : sinks[head], uncertain = 0;
            for (int p = start; p < end; p++)
            {
                double score = 0, magnitude = 0, reach = 0, longest = 0;
                for (int c = 0; c < size; c++)
                {
                    double q = query[(head * size) + c], k = keys[p][(keyHead * size) + c];
                    score += q * k;
                    magnitude += Math.Abs(q * k);
                    reach += Math.Abs(q);
                    longest = Math.Max(longest, Math.Abs(k));
                }

                score *= form.Scale;
                uncertain = Math.Max(uncertain, Math.Abs(form.Scale) * ((magnitude * ScoreError) + (reach * longest * cacheError)));
                if (form.SoftCap > 0)
                    score = form.SoftCap * Math.Tanh(score / form.SoftCap);
                scores[p - start] = score;
                largest = Math.Max(largest, score);
            }

            double sum = sinks is null ? 0 : Math.Exp(sinks[head] - largest);
            foreach (double score in scores)
                sum += Math.Exp(score - largest);
            for (int c = 0; c < valueSize; c++)
            {
                double result = 0, magnitude = 0, largestValue = 0;
                for (int p = start; p < end; p++)
                {
                    double share = Math.Exp(scores[p - start] - largest) / sum, value = values[p][(keyHead * valueSize) + c];
                    result += share * value;
                    magnitude += share * Math.Abs(value);
                    for (int o = 0; o < valueSize && cacheError > 0; o++)
                        largestValue = Math.Max(largestValue, Math.Abs(values[p][(keyHead * valueSize) + o]));
                }

                double rounding = activation == ElementType.Float32 ? 0 : 2 * Expected.Rounding(activation);
                expected.Set(
                    row, (head * valueSize) + c, result, magnitude,
                    (((Math.Exp(2 * uncertain) - 1) + rounding) * magnitude) + (largestValue * cacheError));
            }
        }
    }
}
