using Portable.Decoding.Architecture;

namespace Portable.Tests.Architecture;

/// <summary>Scaled rotary frequencies against the published formulas, evaluated here in double precision.</summary>
[TestFixture]
public sealed class RopeScalingTests
{
    private const double Precision = 2e-6;

    private static void AreEqual(float[] found, Func<int, double> expected)
    {
        Assert.Multiple(() =>
        {
            for (int j = 0; j < found.Length; j++)
                Assert.That(found[j], Is.EqualTo(expected(j)).Within(Precision * expected(j)), $"frequency {j}");
        });
    }

    private static double Plain(int j, double theta, int dimensions) => Math.Pow(theta, -2.0 * j / dimensions);

    [Test]
    public void WithoutScalingFrequenciesArePowersOfTheBase() =>
        AreEqual(RopeScaling.None.InverseFrequencies(1e6, 128, 100), j => Plain(j, 1e6, 128));

    [Test]
    public void LinearScalingDividesEveryFrequency() =>
        AreEqual(new RopeScaling(RopeScalingKind.Linear) { Factor = 8 }.InverseFrequencies(1e6, 32, 100), j => Plain(j, 1e6, 32) / 8);

    [Test]
    public void Llama3KeepsShortWavesDividesLongOnesAndInterpolatesBetween()
    {
        var scaling = new RopeScaling(RopeScalingKind.Llama3) { Factor = 8, LowFactor = 1, HighFactor = 4, OriginalContext = 8192 };
        AreEqual(scaling.InverseFrequencies(500000, 128, 100), j =>
        {
            double inverse = Plain(j, 500000, 128), turns = 8192 * inverse / (2 * Math.PI);
            double share = Math.Clamp((turns - 1) / (4 - 1), 0, 1);
            return (inverse / 8 * (1 - share)) + (inverse * share);
        });
    }

    [Test]
    public void YarnIsARampFromKeptToDividedFrequencies()
    {
        // Dimensions that turn 32 times and once in 4096 tokens: 2.6 and 5.6, rounded outwards to 2 and 6.
        double[] ramp = [0, 0, 0, 0.25, 0.5, 0.75, 1, 1];
        var scaling = new RopeScaling(RopeScalingKind.Yarn) { Factor = 40, OriginalContext = 4096 };
        AreEqual(scaling.InverseFrequencies(10000, 16, 100), j => Plain(j, 10000, 16) * ((1 - ramp[j]) + (ramp[j] / 40)));
    }

    [Test]
    public void YarnsRampMayEndBetweenIndices()
    {
        double Index(double turns) => 16 * Math.Log(4096 / (turns * 2 * Math.PI)) / (2 * Math.Log(150000));
        var scaling = new RopeScaling(RopeScalingKind.Yarn) { Factor = 32, OriginalContext = 4096, IsRampTruncated = false };
        AreEqual(scaling.InverseFrequencies(150000, 16, 100), j =>
        {
            double ramp = Math.Clamp((j - Index(32)) / (Index(1) - Index(32)), 0, 1);
            return Plain(j, 150000, 16) * ((1 - ramp) + (ramp / 32));
        });
    }

    [Test]
    public void LongRopeDividesByOneSetUpToTheOriginalContextAndByAnotherAbove()
    {
        float[] shortFactors = [1, 1.5f, 2], longFactors = [1, 3, 9];
        var scaling = new RopeScaling(RopeScalingKind.LongRope) { OriginalContext = 64, ShortFactors = shortFactors, LongFactors = longFactors };
        AreEqual(scaling.InverseFrequencies(10000, 6, 64), j => Plain(j, 10000, 6) / shortFactors[j]);
        AreEqual(scaling.InverseFrequencies(10000, 6, 65), j => Plain(j, 10000, 6) / longFactors[j]);
        Assert.That(scaling.LengthClass(1), Is.EqualTo(scaling.LengthClass(64)));
        Assert.That(scaling.LengthClass(65), Is.Not.EqualTo(scaling.LengthClass(64)).And.EqualTo(scaling.LengthClass(1000)));
    }

    [Test]
    public void DynamicScalingRaisesTheBaseBeyondTheOriginalContextOnly()
    {
        var scaling = new RopeScaling(RopeScalingKind.Dynamic) { Factor = 2, OriginalContext = 1000 };
        AreEqual(scaling.InverseFrequencies(1e6, 16, 1000), j => Plain(j, 1e6, 16));
        // base * (2 * 3000 / 1000 - 1)^(16 / 14)
        AreEqual(scaling.InverseFrequencies(1e6, 16, 3000), j => Plain(j, 1e6 * Math.Pow(5, 16.0 / 14), 16));
        Assert.That(scaling.LengthClass(10), Is.EqualTo(scaling.LengthClass(1000)).And.Not.EqualTo(scaling.LengthClass(1001)));
    }

    [TestCase(1, 1, 1)]
    [TestCase(16, 1, 1.2772589)]
    [TestCase(40, 0.707, 1.2608038)]
    public void YarnSharpensAttentionByTheLogarithmOfTheFactor(double factor, double multiplier, double expected) =>
        Assert.That(RopeScaling.YarnScale(factor, multiplier), Is.EqualTo(expected).Within(1e-7));

    [TestCase(8, 64, 1.2247449)]
    [TestCase(32, 4096, 1.1902381)]
    [TestCase(0.25, 4096, 1)]
    public void LongRopeSharpensAttentionByTheRatioOfLogarithms(double factor, int original, double expected) =>
        Assert.That(RopeScaling.LongRopeScale(factor, original), Is.EqualTo(expected).Within(1e-7));

    [Test]
    public void TheScaleOfQueriesGrowsInStepsOfTheOriginalContext()
    {
        var scale = new PositionScale(0.1, 32);
        Assert.That(scale.At(0), Is.EqualTo(1));
        Assert.That(scale.At(31), Is.EqualTo(1));
        Assert.That(scale.At(32), Is.EqualTo(1 + (0.1 * Math.Log(2))).Within(1e-6));
        Assert.That(scale.At(127), Is.EqualTo(1 + (0.1 * Math.Log(4))).Within(1e-6));
    }

    [Test]
    public void GroupedRowsAreFoundHeadByHead()
    {
        // Two key heads of size 1, each with three query heads: rows q0 q1 q2 k0 v0 q3 q4 q5 k1 v1.
        Assert.That(DecoderDescription.UngroupedRows(6, 2, 1), Is.EqualTo(new[] { 0, 1, 2, 5, 6, 7, 3, 8, 4, 9 }));
        Assert.That(DecoderDescription.UngroupedRows(2, 2, 2), Is.EqualTo(new[] { 0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11 }));
    }
}
