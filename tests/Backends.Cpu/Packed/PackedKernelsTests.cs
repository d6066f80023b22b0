using System.Runtime.Intrinsics;
using Portable.Backends.Cpu;

namespace Portable.Tests;

[TestFixture]
public sealed unsafe class PackedKernelsTests
{
    private const int Columns = 160, Blocks = Columns / 32, TileRows = 4;

    [Test]
    public void Kernels_of_16_lanes_give_the_bits_of_the_scalar_oracle()
    {
        if (!Simd256.IsSupported)
            Assert.Ignore("not supported by this machine: the two 256-bit registers that stand in for one of 512");
        foreach (WeightFormat format in RandomWeights.PackableFormats(Columns).Where(f => PackedMatrix.CanPack(f, Columns)).Distinct())
        {
            foreach (bool narrow in new[] { false, true })
            {
                using var pool = new WorkerPool(1);
                using WeightMatrix matrix = RandomWeights.Create(32, Columns, format, seed: 1, narrow);
                using PackedMatrix packed = PackedMatrix.Pack(matrix, pool);
                Compare(packed, PackedKernels.Of<PairedSimd512, Vector512<byte>>(packed.Shape));
            }
        }
    }

    [TestCase(0f)]
    [TestCase(1e-10f)]
    [TestCase(65504f)]
    public void Halves_are_loaded_exactly_times_a_power_of_two_by_every_width(float magnitude)
    {
        ushort* halves = stackalloc ushort[16];
        float* loaded = stackalloc float[16];
        foreach (float value in new[] { magnitude, -magnitude, (float)Half.Epsilon, 6.1e-5f, 1f / 3 })
        {
            for (int i = 0; i < 16; i++)
                halves[i] = BitConverter.HalfToUInt16Bits((Half)value);
            double expected = (double)(Half)value * Math.ScaleB(1, -112);
            void Check(int lanes, string width)
            {
                for (int i = 0; i < lanes; i++)
                    Assert.That((double)loaded[i], Is.EqualTo(expected), $"{width}, {value}");
            }

            if (Simd128.IsSupported)
            {
                Simd128.Store(Simd128.LoadHalves(halves), loaded);
                Check(4, "128");
            }

            if (Simd256.IsSupported)
            {
                Simd256.Store(Simd256.LoadHalves(halves), loaded);
                Check(8, "256");
            }

            if (Simd512.IsSupported)
            {
                Simd512.Store(Simd512.LoadHalves(halves), loaded);
                Check(16, "512");
            }
        }
    }

    private static void Compare(PackedMatrix packed, PackedKernels kernels)
    {
        using var memory = new NativeBlock(1 << 17);
        var single = new ActivationRows((sbyte*)memory.Data, (float*)(memory.Data + 4096), (float*)(memory.Data + 8192), (int*)(memory.Data + 10240));
        var four = new ActivationRows((sbyte*)(memory.Data + 12288), (float*)(memory.Data + 16384), (float*)(memory.Data + 20480), (int*)(memory.Data + 24576));
        byte* codes = memory.Data + 32768;
        float* factors = (float*)(memory.Data + 65536), expected = factors + 1024, actual = expected + 32, tile = actual + 32;
        new Span<float>(tile, TileRows * 32).Clear();
        PanelShape shape = packed.Shape;
        float[] x = RandomWeights.Activations(TileRows, Columns, seed: 2);
        fixed (float* px = x)
        {
            for (int row = 0; row < TileRows; row++)
                ActivationQuantizer.Quantize(px + (row * Columns), Columns, four, TileRows, row);
            kernels.Unpack(packed.Panels, &shape, 0, Blocks, codes, factors);
            kernels.Tile(codes, factors, &four, Blocks, tile);
            for (int row = 0; row < TileRows; row++)
            {
                ActivationQuantizer.Quantize(px + (row * Columns), Columns, single, 1, 0);
                ScalarPanel.Run(packed.Panels, &shape, &single, expected);
                kernels.Vector(packed.Panels, &shape, &single, actual);
                Assert.That(new Span<float>(actual, 32).SequenceEqual(new Span<float>(expected, 32)), $"one row, {shape.Form}");
                Assert.That(new Span<float>(tile + (row * 32), 32).SequenceEqual(new Span<float>(expected, 32)), $"row {row} of four, {shape.Form}");
            }
        }
    }
}
