using NUnit.Framework;

namespace Portable.Testing;

/// <summary>Compares logits with those of a reference.</summary>
public static class Logits
{
    public static float MaxError(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        Assert.That(found.Length, Is.EqualTo(expected.Length), "number of logits");
        float largest = 0;
        for (int i = 0; i < found.Length; i++)
        {
            float error = Math.Abs(found[i] - expected[i]);
            if (!(error <= largest))
                largest = float.IsNaN(error) ? float.PositiveInfinity : error;
        }

        return largest;
    }

    public static double RmsError(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        double sum = 0;
        for (int i = 0; i < found.Length; i++)
            sum += Math.Pow(found[i] - (double)expected[i], 2);
        return Math.Sqrt(sum / found.Length);
    }

    public static double Rms(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
            sum += (double)value * value;
        return Math.Sqrt(sum / values.Length);
    }

    public static int Best(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
        {
            if (row[i] > row[best])
                best = i;
        }

        return best;
    }

    /// <summary>Mean of KL(expected || found) over rows of logits, in nats.</summary>
    public static double SumKl(ReadOnlySpan<float> found, ReadOnlySpan<float> expected, int vocabulary)
    {
        double total = 0;
        for (int start = 0; start < found.Length; start += vocabulary)
        {
            ReadOnlySpan<float> f = found.Slice(start, vocabulary), e = expected.Slice(start, vocabulary);
            double logF = LogSum(f), logE = LogSum(e);
            for (int i = 0; i < vocabulary; i++)
            {
                double logP = e[i] - logE;
                total += Math.Exp(logP) * (logP - (f[i] - logF));
            }
        }

        return total;
    }

    public static double LogSum(ReadOnlySpan<float> row)
    {
        double largest = row[Best(row)], sum = 0;
        foreach (float value in row)
            sum += Math.Exp(value - largest);
        return largest + Math.Log(sum);
    }
}
