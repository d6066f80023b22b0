using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks;

/// <summary>Packed products on the matrices of a small language model and of one ten times larger.</summary>
internal static unsafe class PackedBenchmarks
{
    private static readonly (int Rows, int Columns)[] Shapes = [(576, 576), (1536, 576), (576, 1536), (1536, 1536), (8960, 1536)];

    private static readonly (string Name, WeightFormat Format)[] Formats =
    [
        ("u4 g32 zero 8", new(WeightEncoding.UInt4, 32, GroupOffset.ZeroPoint)),
        ("u4 g32 affine", new(WeightEncoding.UInt4, 32, GroupOffset.Minimum)),
        ("u4 g128 affine", new(WeightEncoding.UInt4, 128, GroupOffset.Minimum)),
        ("s6 g32", new(WeightEncoding.Int8, 32)),
        ("s6 g16", new(WeightEncoding.Int8, 16)),
        ("s8 g32", new(WeightEncoding.Int8, 32)),
        ("s8 g16", new(WeightEncoding.Int8, 16)),
    ];

    public static void Decode(int threads, string filter)
    {
        // Copies enough that every matrix comes from memory, not from the last-level cache.
        const long Streamed = 128 << 20;
        using var pool = new WorkerPool(threads);
        using var scratch = new PackedScratch();
        Console.WriteLine($"{threads} threads, best instructions {PackedKernels.Best}; GB/s of packed bytes, plain read = streaming the same copies");
        Console.WriteLine($"{"shape",-14}{"format",-16}{"us",9}{"GB/s",8}{"read",8}{"ratio",8}{"m=2",8}{"m=4",8}");
        foreach ((int rows, int columns) in Shapes.Append((49152, 576)))
        {
            foreach ((string name, WeightFormat format) in Formats)
            {
                if ((rows > 9000 && format.Bits == 4) || !$"{rows}x{columns} {name}".Contains(filter, StringComparison.Ordinal))
                    continue;
                using WeightMatrix matrix = Random(rows, columns, name, format);
                using PackedMatrix first = PackedMatrix.Pack(matrix, pool);
                var copies = new PackedMatrix[(int)Math.Max(1, Streamed / first.Bytes)];
                for (int i = 0; i < copies.Length; i++)
                    copies[i] = PackedMatrix.Pack(matrix, pool);
                var x = new float[4 * columns];
                var y = new float[4 * rows];
                Array.Fill(x, 0.5f);
                fixed (float* px = x, py = y)
                {
                    nint ix = (nint)px, iy = (nint)py;
                    double Product(int m) => Measure.TenthPercentile(0.1, copies.Length, i =>
                        PackedProduct.Multiply(copies.AsSpan(i, 1), (float*)ix, columns, m, (float*)iy, rows, null, false, pool, scratch));
                    double read = Measure.TenthPercentile(0.1, copies.Length, i => StreamingRead.Run(pool, copies[i].Panels, copies[i].Bytes));
                    double one = Product(1), two = Product(2), four = Product(4);
                    double size = copies[0].Bytes;
                    Console.WriteLine($"{rows + "x" + columns,-14}{name,-16}{one * 1e6,9:f1}{size / one / 1e9,8:f1}{size / read / 1e9,8:f1}{read / one,8:f2}{two / one,8:f2}{four / one,8:f2}");
                }

                foreach (PackedMatrix copy in copies)
                    copy.Dispose();
            }
        }
    }

    /// <summary>One row times a large matrix of 16-bit weights, as a language model's head is.</summary>
    public static void Head(int threads)
    {
        const int Rows = 65536, Columns = 1536;
        using var pool = new WorkerPool(threads);
        using var workspace = new CpuWorkspace(threads);
        foreach (WeightEncoding encoding in new[] { WeightEncoding.BFloat16, WeightEncoding.Float16 })
        {
            using WeightMatrix matrix = WeightMatrix.Allocate("random", Rows, Columns, new(encoding));
            var random = new Random(1);
            for (int row = 0; row < Rows; row++)
            {
                Span<ushort> codes = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(matrix.Codes(row));
                for (int k = 0; k < Columns; k++)
                    codes[k] = encoding == WeightEncoding.Float16 ? BitConverter.HalfToUInt16Bits((Half)random.NextSingle()) : (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle()) >> 16);
            }

            using CanonicalMatrix canonical = CanonicalMatrix.Copy(matrix);
            float[] x = new float[Columns], y = new float[Rows];
            Array.Fill(x, 0.5f);
            double bytes = 2.0 * Rows * Columns;
            fixed (float* px = x, py = y)
            {
                nint ix = (nint)px, iy = (nint)py;
                double product = Measure.Best(1, () => canonical.Multiply(new FloatRows((float*)ix, Columns, 1, Columns), new FloatRows((float*)iy, Rows, 1, Rows), null, false, pool, workspace));
                double read = Measure.Best(1, () => StreamingRead.Run(pool, canonical.Block.Data, (long)bytes));
                Console.WriteLine($"{encoding,-10} {threads} threads: {product * 1e3:f1} ms, {bytes / product / 1e9:f1} GB/s; plain read {bytes / read / 1e9:f1} GB/s");
            }
        }
    }

    public static void Prefill(int threads)
    {
        using var pool = new WorkerPool(threads);
        using var scratch = new PackedScratch();
        Console.WriteLine($"{threads} threads, best instructions {PackedKernels.Best}; GOPS (2 per multiply-add)");
        Console.WriteLine($"{"shape",-14}{"format",-16}{"m=8",8}{"m=16",8}{"m=128",8}{"m=512",8}");
        foreach ((int rows, int columns) in Shapes)
        {
            foreach ((string name, WeightFormat format) in Formats)
            {
                using WeightMatrix matrix = Random(rows, columns, name, format);
                using PackedMatrix packed = PackedMatrix.Pack(matrix, pool);
                PackedMatrix[] parts = [packed];
                var x = new float[512 * columns];
                var y = new float[512 * rows];
                Array.Fill(x, 0.5f);
                fixed (float* px = x, py = y)
                {
                    Console.Write($"{rows + "x" + columns,-14}{name,-16}");
                    foreach (int m in new[] { 8, 16, 128, 512 })
                    {
                        nint ix = (nint)px, iy = (nint)py;
                        double seconds = Measure.Best(0.06, () =>
                            PackedProduct.Multiply(parts, (float*)ix, columns, m, (float*)iy, rows, null, false, pool, scratch));
                        Console.Write($"{2.0 * m * rows * columns / seconds / 1e9,8:f0}");
                    }

                    Console.WriteLine();
                }
            }
        }
    }

    public static void Pack(int threads)
    {
        using var pool = new WorkerPool(threads);
        Console.WriteLine($"{threads} threads; million weights a second");
        foreach ((string name, WeightFormat format) in Formats)
        {
            using WeightMatrix matrix = Random(4096, 1536, name, format);
            double seconds = Measure.Best(0.3, () => PackedMatrix.Pack(matrix, pool).Dispose());
            Console.WriteLine($"{name,-16}{4096 * 1536 / seconds / 1e6,8:f0}");
        }
    }

    public static void Tile()
    {
        const int Columns = 576, Blocks = Columns / 32;
        using var pool = new WorkerPool(1);
        using var memory = new NativeBlock(1 << 20);
        Console.WriteLine("one core, data in cache; tile GOPS, vector GB/s of packed bytes, unpacking GB/s of packed bytes");
        if (Avx2.IsSupported)
        {
            double roof = Measure.Best(0.2, () => MultiplyAdds(memory.Data));
            Console.WriteLine($"multiplies and adds of 256 bits alone, in registers: {2.0 * 32 * 8 * MultiplyAddRounds / roof / 1e9:f0} GOPS");
        }

        Console.WriteLine($"{"tier",-14}{"format",-16}{"tile",8}{"vector",8}{"unpack",8}");
        foreach (KernelTier tier in Enum.GetValues<KernelTier>().Where(t => t != KernelTier.Scalar && PackedKernels.IsSupported(t)))
        {
            foreach ((string name, WeightFormat format) in Formats)
            {
                using WeightMatrix matrix = Random(32, Columns, name, format);
                using PackedMatrix packed = PackedMatrix.Pack(matrix, pool);
                PackedKernels kernels = PackedKernels.For(tier, packed.Shape);
                PanelShape shape = packed.Shape;
                byte* codes = memory.Data, panel = packed.Panels;
                var factors = (float*)(codes + 65536);
                float* sums = factors + 8192;
                var rows = new ActivationRows((sbyte*)(codes + (1 << 18)), factors + 16384, factors + 20000, (int*)(factors + 24000));
                new Span<byte>(memory.Data, 1 << 20).Clear();
                nint shapeAt = (nint)(&shape), rowsAt = (nint)(&rows);
                double unpack = Measure.Best(0.1, () =>
                {
                    for (int i = 0; i < 200; i++)
                        kernels.Unpack(panel, (PanelShape*)shapeAt, 0, Blocks, codes, factors);
                }) / 200;
                double tile = Measure.Best(0.2, () =>
                {
                    for (int i = 0; i < 200; i++)
                        kernels.Tile(codes, factors, (ActivationRows*)rowsAt, Blocks, sums);
                }) / 200;
                double vector = Measure.Best(0.1, () =>
                {
                    for (int i = 0; i < 200; i++)
                        kernels.Vector(panel, (PanelShape*)shapeAt, (ActivationRows*)rowsAt, sums);
                }) / 200;
                Console.WriteLine($"{tier,-14}{name,-16}{2.0 * 4 * 32 * Columns / tile / 1e9,8:f0}{packed.Bytes / vector / 1e9,8:f1}{packed.Bytes / unpack / 1e9,8:f1}");
            }
        }
    }

    private const int MultiplyAddRounds = 20_000;

    // What the 4-bit tile could reach with neither loads nor scales: eight independent sums.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyAdds(byte* data)
    {
        Vector256<byte> codes = Vector256.Load(data);
        Vector256<short> a = Vector256.Load((short*)data), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
        for (int round = 0; round < MultiplyAddRounds; round++)
        {
            // Each product needs its own sum of a round ago: nothing can be moved out of the loop.
            a += Avx2.MultiplyAddAdjacent(codes, a.AsSByte());
            b += Avx2.MultiplyAddAdjacent(codes, b.AsSByte());
            c += Avx2.MultiplyAddAdjacent(codes, c.AsSByte());
            d += Avx2.MultiplyAddAdjacent(codes, d.AsSByte());
            e += Avx2.MultiplyAddAdjacent(codes, e.AsSByte());
            f += Avx2.MultiplyAddAdjacent(codes, f.AsSByte());
            g += Avx2.MultiplyAddAdjacent(codes, g.AsSByte());
            h += Avx2.MultiplyAddAdjacent(codes, h.AsSByte());
        }

        (a + b + c + d + e + f + g + h).Store((short*)data);
    }

    public static WeightMatrix Random(int rows, int columns, string name, WeightFormat format)
    {
        var random = new Random(1);
        WeightMatrix matrix = WeightMatrix.Allocate("random", rows, columns, format);
        for (int row = 0; row < rows; row++)
        {
            random.NextBytes(matrix.Codes(row));
            if (name.StartsWith("s6", StringComparison.Ordinal))
            {
                foreach (ref byte code in matrix.Codes(row))
                    code = (byte)((code % 64) - 32);
            }

            matrix.ZeroPoints(row).Fill(8);
            matrix.Scales(row).Fill(0.01f);
            matrix.Minimums(row).Fill(-0.08f);
        }

        return matrix;
    }
}
