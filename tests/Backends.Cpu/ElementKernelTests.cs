using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>Each kernel along one row against its scalar form, at every width and length, up to the edge of memory.</summary>
[TestFixtureSource(typeof(Values), nameof(Values.Widths))]
public sealed unsafe class ElementKernelTests(int width)
{
    private static IEnumerable<int> Lengths(int width) => Enumerable.Range(0, (Math.Max(width / 32, 1) * 8) + 8);

    [Test]
    public void Activations_are_within_two_units_in_the_last_place_of_their_float64_form([Values] ActivationKind kind, [Values] bool gated)
    {
        if (gated && kind == ActivationKind.SoftCap)
            Assert.Ignore("soft caps are never gated");
        if (!gated && kind == ActivationKind.ClampedSwiglu)
            Assert.Ignore("it always gates another input");
        foreach (int length in Lengths(width))
        {
            using GuardedMemory input = GuardedMemory.Of<float>(Values.Normal(length, length, 4));
            using GuardedMemory up = GuardedMemory.Of<float>(Values.Normal(length + 1000, length));
            using var actual = new GuardedMemory(length * sizeof(float));
            float[] expected = new float[length];
            fixed (float* target = expected)
            {
                if (gated)
                    ScalarGatedActivation.Run(input.Floats, up.Floats, target, length, kind, 30);
                else
                    ScalarActivation.Run(input.Floats, target, length, kind, 30);
            }

            var body = new ActivationBody(input.Floats, gated ? up.Floats : null, actual.Floats, length, kind);
            Values.AtWidth(width, ref body);
            Values.AssertClose(actual.As<float>(), expected, 3e-7, 3e-7, $"{kind}");
        }
    }

    [Test]
    public void Activations_of_extreme_values_are_those_of_the_scalar_form([Values] ActivationKind kind)
    {
        if (kind == ActivationKind.ClampedSwiglu)
            Assert.Ignore("it always gates another input");
        float[] values = [0, -0f, 1e-30f, -1e-30f, 20, -20, 87, -87, 89, -89, 104, -104, 1000, -1000, 1e10f, -1e10f, float.NaN, 0.625f, 1, -1, 4, -4];
        using GuardedMemory input = GuardedMemory.Of<float>(values);
        using var actual = new GuardedMemory(values.Length * sizeof(float));
        float[] expected = new float[values.Length];
        fixed (float* target = expected)
            ScalarActivation.Run(input.Floats, target, values.Length, kind, 30);
        var body = new ActivationBody(input.Floats, null, actual.Floats, values.Length, kind);
        Values.AtWidth(width, ref body);
        Values.AssertClose(actual.As<float>(), expected, 3e-7, 3e-7, $"{kind}");
    }

    [Test]
    public void Exp_is_accurate_from_the_smallest_result_to_infinity()
    {
        float[] inputs = [.. Enumerable.Range(0, 4001).Select(i => -105f + (i * 0.049f))];
        using GuardedMemory input = GuardedMemory.Of<float>(inputs);
        using var actual = new GuardedMemory(inputs.Length * sizeof(float));
        var body = new ExpBody(input.Floats, actual.Floats, inputs.Length);
        Values.AtWidth(width, ref body);
        int whole = inputs.Length / Math.Max(width / 32, 1) * Math.Max(width / 32, 1);
        float[] expected = [.. inputs.Take(whole).Select(x => (float)Math.Exp(x))];
        Values.AssertClose(actual.As<float>()[..whole], expected, 1.5e-7, 1.5e-45, "exp");
    }

    [Test]
    public void Norms_sums_products_and_rotations_match_their_scalar_form()
    {
        foreach (int length in Lengths(width).Where(n => n > 0))
        {
            float[] a = Values.Normal(length, length), b = Values.Normal(length + 1, length), c = Values.Normal(length + 2, length);
            var body = new RowBody(a, b, c);
            Values.AtWidth(width, ref body);
        }
    }

    [Test]
    public void Casts_to_and_from_float16_are_exact_for_every_pattern()
    {
        ushort[] patterns = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        using GuardedMemory halves = GuardedMemory.Of<ushort>(patterns);
        using var floats = new GuardedMemory(65536 * sizeof(float));
        using var back = new GuardedMemory(65536 * sizeof(ushort));
        var widen = new CastBody(halves.Pointer, ElementType.Float16, floats.Pointer, ElementType.Float32, 65536);
        Values.AtWidth(width, ref widen);
        var narrow = new CastBody(floats.Pointer, ElementType.Float32, back.Pointer, ElementType.Float16, 65536);
        Values.AtWidth(width, ref narrow);
        for (int i = 0; i < 65536; i++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            float found = floats.As<float>()[i];
            if (float.IsNaN(expected))
            {
                Assert.That(float.IsNaN(found) && Half.IsNaN(BitConverter.UInt16BitsToHalf(back.As<ushort>()[i])), $"pattern {i:x4}");
                continue;
            }

            Assert.That(BitConverter.SingleToUInt32Bits(found), Is.EqualTo(BitConverter.SingleToUInt32Bits(expected)), $"pattern {i:x4}");
            Assert.That(back.As<ushort>()[i], Is.EqualTo((ushort)i));
        }
    }

    [Test]
    public void Rounding_to_float16_is_to_nearest_even()
    {
        var random = new Random(7);
        float[] values = [.. Enumerable.Range(0, 50000).Select(i => i % 3 == 0
            ? (random.NextSingle() - 0.5f) * 1e-6f
            : i % 3 == 1 ? (random.NextSingle() - 0.5f) * 140000 : BitConverter.UInt32BitsToSingle((uint)random.Next(0x38000000, 0x47800000)))];
        for (int i = 0; i < 30000; i += 2)
            values[i] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(values[i]) & 0xFFFFF000);
        using GuardedMemory input = GuardedMemory.Of<float>(values);
        using var actual = new GuardedMemory(values.Length * sizeof(ushort));
        var body = new CastBody(input.Pointer, ElementType.Float32, actual.Pointer, ElementType.Float16, values.Length);
        Values.AtWidth(width, ref body);
        for (int i = 0; i < values.Length; i++)
        {
            if (actual.As<ushort>()[i] != BitConverter.HalfToUInt16Bits((Half)values[i]))
                Assert.Fail($"{values[i]:R}: expected {(Half)values[i]}, found bits {actual.As<ushort>()[i]:x4}");
        }
    }

    [Test]
    public void Top_k_matches_a_stable_sort_with_many_ties()
    {
        foreach (int length in (int[])[1, 5, 33, 257, 5000])
        {
            var random = new Random(length);
            float[] values = [.. Enumerable.Range(0, length).Select(_ => (float)random.Next(50))];
            int k = Math.Min(length, 20);
            using GuardedMemory input = GuardedMemory.Of<float>(values);
            using var columns = new GuardedMemory(k * sizeof(int));
            using var best = new GuardedMemory(k * sizeof(float));
            var body = new TopKBody(input.Floats, length, (int*)columns.Pointer, best.Floats, k);
            Values.AtWidth(width, ref body);
            int[] expected = [.. Enumerable.Range(0, length).OrderByDescending(i => values[i]).Take(k)];
            Assert.That(columns.As<int>().ToArray(), Is.EqualTo(expected));
            Assert.That(best.As<float>().ToArray(), Is.EqualTo(expected.Select(i => values[i])));
        }
    }

    private readonly struct ActivationBody(float* input, float* up, float* output, int length, ActivationKind kind) : IWidthBody
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            ActivationKernel.Run<TSimd, TVector>(input, up, output, length, kind, 30);
    }

    private readonly struct ExpBody(float* input, float* output, int length) : IWidthBody
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged
        {
            for (int i = 0; i + TSimd.Count <= length; i += TSimd.Count)
                TSimd.Store(output + i, SimdMath.Exp<TSimd, TVector>(TSimd.Load(input + i)));
        }
    }

    private readonly struct CastBody(byte* source, ElementType from, byte* output, ElementType to, int length) : IWidthBody
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            CastKernel.Run<TSimd, TVector>(source, from, output, to, length);
    }

    private readonly struct TopKBody(float* input, int length, int* columns, float* values, int count) : IWidthBody
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TopKKernel.Run<TSimd, TVector>(input, length, columns, values, count);
    }

    private readonly struct RowBody(float[] a, float[] b, float[] c) : IWidthBody
    {
        public void Run<TSimd, TVector>() where TSimd : IFloatSimd<TVector> where TVector : unmanaged
        {
            int n = a.Length;
            using GuardedMemory x = GuardedMemory.Of<float>(a), w = GuardedMemory.Of<float>(b), bias = GuardedMemory.Of<float>(c);
            using var actual = new GuardedMemory(n * sizeof(float));
            float[] expected = new float[n], sum = [.. c];
            fixed (float* e = expected, s = sum)
            {
                ScalarRmsNorm.Run(x.Floats, w.Floats, e, n, 1e-6f, null);
                RmsNormKernel.Run<TSimd, TVector>(x.Floats, w.Floats, actual.Floats, n, 1e-6f, null);
                Values.AssertClose(actual.As<float>(), expected, 1e-6, 1e-7, "RMS norm");

                using GuardedMemory residual = GuardedMemory.Of<float>(c);
                ScalarRmsNorm.Run(x.Floats, w.Floats, e, n, 1e-6f, s);
                RmsNormKernel.Run<TSimd, TVector>(x.Floats, w.Floats, actual.Floats, n, 1e-6f, residual.Floats);
                Values.AssertClose(actual.As<float>(), expected, 1e-6, 1e-7, "RMS norm with residual");
                Values.AssertClose(residual.As<float>(), sum, 0, 0, "residual");

                foreach (bool hasBias in (bool[])[false, true])
                {
                    ScalarLayerNorm.Run(x.Floats, w.Floats, hasBias ? bias.Floats : null, e, n, 1e-5f);
                    LayerNormKernel.Run<TSimd, TVector>(x.Floats, w.Floats, hasBias ? bias.Floats : null, actual.Floats, n, 1e-5f);
                    Values.AssertClose(actual.As<float>(), expected, 2e-6, 2e-6, "layer norm");
                }

                ScalarAdd.Run(x.Floats, w.Floats, e, n, 0.3f);
                AddKernel.Run<TSimd, TVector>(x.Floats, w.Floats, actual.Floats, n, 0.3f);
                Values.AssertClose(actual.As<float>(), expected, 0, 0, "add");
                ScalarMultiply.Run(x.Floats, w.Floats, e, n);
                MultiplyKernel.Run<TSimd, TVector>(x.Floats, w.Floats, actual.Floats, n);
                Values.AssertClose(actual.As<float>(), expected, 0, 0, "multiply");
            }

            int half = n / 2;
            using GuardedMemory head = GuardedMemory.Of<float>(a.AsSpan(0, 2 * half)), angles = GuardedMemory.Of<float>(b.AsSpan(0, 2 * half));
            float[] turned = a[..(2 * half)];
            fixed (float* t = turned)
                ScalarRope.Run(t, angles.Floats, half, RopeStyle.Halves);
            RopeKernel.Halves<TSimd, TVector>(head.Floats, angles.Floats, half);
            Values.AssertClose(head.As<float>(), turned, 0, 0, "rope");
        }
    }
}
