using Portable.Quantization;

namespace Portable.Tests;

/// <summary>What the plainest quantiser promises of any weights.</summary>
[TestFixture]
public sealed class RoundToNearestTests
{
    [TestCase(32)]
    [TestCase(64)]
    [TestCase(128)]
    public void NoWeightIsOffByMoreThanHalfAStep(int groupSize)
    {
        var random = new Random(7);
        for (int round = 0; round < 200; round++)
        {
            float width = MathF.Pow(10, random.Next(-3, 3)), shift = round % 3 == 0 ? width : 0;
            float[] weights = [.. Enumerable.Range(0, 4 * groupSize).Select(_ => ((random.NextSingle() - 0.5f) * width) + shift)];
            (byte[] codes, Half[] scales, byte[] zeros) = Quantize(weights, groupSize);
            for (int i = 0; i < weights.Length; i++)
            {
                float scale = (float)scales[i / groupSize];
                float back = (codes[i] - zeros[i / groupSize]) * scale;
                // Half a step for the rounding of the code, half for that of the zero point at the ends of the range, and the scale's own rounding.
                Assert.That(Math.Abs(back - weights[i]), Is.LessThanOrEqualTo(scale * 1.02f), $"round {round}, weight {i}");
                if (codes[i] is > 0 and < 15)
                    Assert.That(Math.Abs(back - weights[i]), Is.LessThanOrEqualTo(scale * 0.5f * 1.0001f), $"round {round}, weight {i}");
            }
        }
    }

    [Test]
    public void ZeroStaysZero()
    {
        float[] weights = [.. Enumerable.Range(0, 32).Select(static i => i % 4 == 0 ? 0 : (float)i)];
        (byte[] codes, _, byte[] zeros) = Quantize(weights, 32);
        for (int i = 0; i < weights.Length; i += 4)
            Assert.That(codes[i], Is.EqualTo(zeros[0]));
    }

    [TestCase(0f)]
    [TestCase(1e-12f)]
    [TestCase(-1e-12f)]
    public void AGroupOfTheSameTinyWeightIsFinite(float weight)
    {
        (byte[] codes, Half[] scales, byte[] zeros) = Quantize([.. Enumerable.Repeat(weight, 32)], 32);
        Assert.That((float)scales[0], Is.GreaterThan(0));
        Assert.That((codes[0] - zeros[0]) * (float)scales[0], Is.EqualTo(weight).Within(1e-6));
    }

    private static (byte[] Codes, Half[] Scales, byte[] Zeros) Quantize(float[] weights, int groupSize)
    {
        var result = (new byte[weights.Length], new Half[weights.Length / groupSize], new byte[weights.Length / groupSize]);
        new RoundToNearest().Quantize(weights, groupSize, result.Item1, result.Item2, result.Item3);
        return result;
    }
}
