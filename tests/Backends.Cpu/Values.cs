using System.Runtime.Intrinsics;
using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>Seeded values, and kernels at each width of the ladder (an absent one is emulated by the runtime).</summary>
internal static unsafe class Values
{
    public static readonly int[] Widths = [512, 256, 128, 1];

    public static float[] Normal(int seed, int count, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }

    public static void AtWidth<TBody>(int width, ref TBody body) where TBody : IWidthBody
    {
        switch (width)
        {
            case 512:
                body.Run<FloatSimd512, Vector512<float>>();
                break;
            case 256:
                body.Run<FloatSimd256, Vector256<float>>();
                break;
            case 128:
                body.Run<FloatSimd128, Vector128<float>>();
                break;
            default:
                body.Run<FloatSimdScalar, float>();
                break;
        }
    }

    public static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, double relative, double absolute, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            if (actual[i].Equals(expected[i]))
                continue;
            double error = Math.Abs((double)actual[i] - expected[i]);
            if (!(error <= absolute + (relative * Math.Abs(expected[i]))))
                Assert.Fail($"{what}: element {i} of {actual.Length}: expected {expected[i]:R}, found {actual[i]:R}, error {error:e2}");
        }
    }

    public static WeightMatrix Matrix(int seed, int rows, int columns, WeightFormat format, bool groupIndex = false)
    {
        var random = new Random(seed);
        float[]? codebook = format.Encoding == WeightEncoding.Codebook4 ? Normal(seed + 1, 16) : null;
        int groups = format.Groups(columns);
        int[]? index = groupIndex ? [.. Enumerable.Range(0, columns).Select(_ => random.Next(groups))] : null;
        WeightMatrix matrix = WeightMatrix.Allocate("w", rows, columns, format, codebook, index);
        for (int r = 0; r < rows; r++)
        {
            Span<byte> codes = matrix.Codes(r);
            float[] values = Normal((seed * 1000) + r, columns, 0.1f);
            for (int k = 0; k < columns && format.IsPlain; k++)
            {
                switch (format.Encoding)
                {
                    case WeightEncoding.Float32:
                        BitConverter.TryWriteBytes(codes[(4 * k)..], values[k]);
                        break;
                    case WeightEncoding.Float16:
                        BitConverter.TryWriteBytes(codes[(2 * k)..], (Half)values[k]);
                        break;
                    default:
                        BitConverter.TryWriteBytes(codes[(2 * k)..], (ushort)(BitConverter.SingleToUInt32Bits(values[k]) >> 16));
                        break;
                }
            }

            if (format.IsPlain)
                continue;
            random.NextBytes(codes);
            for (int k = 0; k < codes.Length && format.Encoding == WeightEncoding.Float8E4M3; k++)
                codes[k] = (byte)((codes[k] & 0x7F) == 0x7F ? 0 : codes[k]);
            for (int g = 0; g < groups; g++)
            {
                matrix.Scales(r)[g] = 0.01f * (1 + random.NextSingle());
                if (format.Offset == GroupOffset.ZeroPoint)
                    matrix.ZeroPoints(r)[g] = (byte)random.Next(16);
                if (format.Offset == GroupOffset.Minimum)
                    matrix.Minimums(r)[g] = random.NextSingle() - 0.5f;
            }
        }

        return matrix;
    }

    public static IEnumerable<WeightFormat> Formats()
    {
        yield return new(WeightEncoding.Float32);
        yield return new(WeightEncoding.Float16);
        yield return new(WeightEncoding.BFloat16);
        foreach (WeightEncoding encoding in (WeightEncoding[])[WeightEncoding.UInt4, WeightEncoding.Codebook4, WeightEncoding.Int8, WeightEncoding.UInt8, WeightEncoding.Float8E4M3])
        {
            foreach (int size in (int[])[32, 128, 7])
            {
                foreach (GroupOffset offset in Enum.GetValues<GroupOffset>())
                    yield return new(encoding, size, offset);
            }
        }
    }
}

/// <summary>Something to run at one width.</summary>
internal interface IWidthBody
{
    void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged;
}
