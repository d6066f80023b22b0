namespace Portable.Backends.Cpu;

/// <summary>One query head over keys and values given one by one; scores and sums in float64.</summary>
internal static unsafe class ScalarAttention
{
    /// <summary>output = softmax(cap(scale * q . k)) v over keys first … end - 1; all zeros where none is seen.</summary>
    /// <param name="source">Where key and value rows lie.</param>
    /// <param name="query">[head size].</param>
    /// <param name="output">[value size].</param>
    /// <param name="first">The first key seen.</param>
    /// <param name="end">One past the last key seen.</param>
    /// <param name="form">Sizes, scale and cap.</param>
    /// <param name="sink">The sink logit of the head; negative infinity for none.</param>
    public static void Run<TSource>(TSource source, float* query, float* output, int first, int end, in AttentionForm form, float sink)
        where TSource : struct, IScalarKeySource
    {
        new Span<float>(output, form.ValueSize).Clear();
        if (end <= first)
            return;
        double max = sink;
        for (int key = first; key < end; key++)
            max = Math.Max(max, Score(source, query, key, form));
        double denominator = Math.Exp(sink - max);
        double[] sums = new double[form.ValueSize];
        for (int key = first; key < end; key++)
        {
            double weight = Math.Exp(Score(source, query, key, form) - max);
            denominator += weight;
            for (int i = 0; i < sums.Length; i++)
                sums[i] += weight * source.Value(key, i);
        }

        for (int i = 0; i < sums.Length; i++)
            output[i] = (float)(sums[i] / denominator);
    }

    private static double Score<TSource>(TSource source, float* query, int key, in AttentionForm form)
        where TSource : struct, IScalarKeySource
    {
        double score = 0;
        for (int i = 0; i < form.HeadSize; i++)
            score += (double)query[i] * source.Key(key, i);
        score *= form.Scale;
        return form.SoftCap > 0 ? form.SoftCap * Math.Tanh(score / form.SoftCap) : score;
    }
}

/// <summary>Elements of the keys and values of one key head.</summary>
internal interface IScalarKeySource
{
    /// <summary>Element i of a key.</summary>
    float Key(int key, int i);

    /// <summary>Element i of a value.</summary>
    float Value(int key, int i);
}
