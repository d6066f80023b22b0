using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>Codes to float32 in vectors, bit for bit what <see cref="ScalarDequantize"/> gives.</summary>
internal static unsafe class DequantizeKernel
{
    // Columns unpacked at a time, on the stack.
    private const int Block = 512;

    private static readonly float[] Float8Values = GC.AllocateUninitializedArray<float>(256, pinned: true);
    private static readonly nint Float8Table = MakeFloat8Table();

    /// <inheritdoc cref="ScalarDequantize.Run"/>
    public static void Run(in CanonicalRows rows, long row, int first, int count, float* destination)
    {
        if (rows.GroupIndex is not null)
            ScalarDequantize.Run(rows, row, first, count, destination);
        else if (Vector512.IsHardwareAccelerated)
            Run<FloatSimd512, Vector512<float>>(rows, row, first, count, destination);
        else if (Vector256.IsHardwareAccelerated)
            Run<FloatSimd256, Vector256<float>>(rows, row, first, count, destination);
        else if (Vector128.IsHardwareAccelerated)
            Run<FloatSimd128, Vector128<float>>(rows, row, first, count, destination);
        else
            ScalarDequantize.Run(rows, row, first, count, destination);
    }

    /// <summary>Evaluates count columns of a row from first, which must be even, on; groups must be neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TSimd, TVector>(in CanonicalRows rows, long row, int first, int count, float* destination)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        Debug.Assert(first >= 0 && first % 2 == 0 && count >= 0 && first + count <= rows.Columns && rows.GroupIndex is null);
        byte* codes = rows.Codes + (row * rows.RowBytes);
        byte* bytes = stackalloc byte[Block];
        float* looked = stackalloc float[Block];
        for (int start = first; start < first + count; start += Block)
        {
            int length = Math.Min(Block, first + count - start);
            float* output = destination + (start - first);
            switch (rows.Format.Encoding)
            {
                case WeightEncoding.Float32:
                    Buffer.MemoryCopy((float*)codes + start, output, length * sizeof(float), length * sizeof(float));
                    break;
                case WeightEncoding.Float16:
                    Convert<TSimd, TVector, HalfCodes>((ushort*)codes + start, output, length);
                    break;
                case WeightEncoding.BFloat16:
                    Convert<TSimd, TVector, BFloat16Codes>((ushort*)codes + start, output, length);
                    break;
                case WeightEncoding.UInt4:
                    Unpack(codes + (start / 2), bytes, length);
                    Scale<TSimd, TVector, ByteCodes>(rows, row, start, length, bytes, output);
                    break;
                case WeightEncoding.Codebook4:
                    Unpack(codes + (start / 2), bytes, length);
                    for (int i = 0; i < length; i++)
                        looked[i] = rows.Codebook[bytes[i]];
                    Scale<TSimd, TVector, FloatCodes>(rows, row, start, length, looked, output);
                    break;
                case WeightEncoding.Int8:
                    Scale<TSimd, TVector, SignedByteCodes>(rows, row, start, length, codes + start, output);
                    break;
                case WeightEncoding.UInt8:
                    Scale<TSimd, TVector, ByteCodes>(rows, row, start, length, codes + start, output);
                    break;
                default:
                    float* table = (float*)Float8Table;
                    for (int i = 0; i < length; i++)
                        looked[i] = table[codes[start + i]];
                    Scale<TSimd, TVector, FloatCodes>(rows, row, start, length, looked, output);
                    break;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert<TSimd, TVector, TCodes>(void* codes, float* output, int length)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TCodes : ICodes
    {
        int i = 0;
        for (; i + TSimd.Count <= length; i += TSimd.Count)
            TSimd.Store(output + i, TCodes.Load<TSimd, TVector>(codes, i));
        for (; i < length; i++)
            output[i] = TCodes.Load<FloatSimdScalar, float>(codes, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<TSimd, TVector, TCodes>(in CanonicalRows rows, long row, int start, int length, void* codes, float* output)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TCodes : ICodes
    {
        int size = rows.Format.GroupSize;
        for (int i = 0; i < length;)
        {
            int group = (start + i) / size;
            // In 64 bits: a group may be said to be as large as an int.
            int end = (int)Math.Min(length, ((group + 1L) * size) - start);
            long index = (row * rows.Groups) + group;
            switch (rows.Format.Offset)
            {
                case GroupOffset.ZeroPoint:
                    Group<TSimd, TVector, TCodes, ZeroPointForm>(codes, output, i, end, rows.Scales[index], rows.ZeroPoints[index]);
                    break;
                case GroupOffset.Minimum:
                    Group<TSimd, TVector, TCodes, MinimumForm>(codes, output, i, end, rows.Scales[index], rows.Minimums[index]);
                    break;
                default:
                    Group<TSimd, TVector, TCodes, PlainForm>(codes, output, i, end, rows.Scales[index], 0);
                    break;
            }

            i = end;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group<TSimd, TVector, TCodes, TForm>(void* codes, float* output, int i, int end, float scale, float offset)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
        where TCodes : ICodes
        where TForm : IForm
    {
        TVector scales = TSimd.Broadcast(scale), offsets = TSimd.Broadcast(offset);
        for (; i + TSimd.Count <= end; i += TSimd.Count)
            TSimd.Store(output + i, TForm.Apply<TSimd, TVector>(TCodes.Load<TSimd, TVector>(codes, i), scales, offsets));
        for (; i < end; i++)
            output[i] = TForm.Apply<FloatSimdScalar, float>(TCodes.Load<FloatSimdScalar, float>(codes, i), scale, offset);
    }

    // The low nibble is the even column; widened to 16 bits, low | high << 8 is the two bytes in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack(byte* packed, byte* bytes, int length)
    {
        int i = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; i + 32 <= length; i += 32)
            {
                Vector128<byte> pair = Vector128.Load(packed + (i / 2));
                Vector128<byte> low = pair & Vector128.Create((byte)15), high = pair >>> 4;
                (Vector128.WidenLower(low) | (Vector128.WidenLower(high) << 8)).AsByte().Store(bytes + i);
                (Vector128.WidenUpper(low) | (Vector128.WidenUpper(high) << 8)).AsByte().Store(bytes + i + 16);
            }
        }

        for (; i < length; i++)
            bytes[i] = (byte)((packed[i >> 1] >> ((i & 1) * 4)) & 15);
    }

    private static nint MakeFloat8Table()
    {
        for (int i = 0; i < Float8Values.Length; i++)
            Float8Values[i] = Float8.FromE4M3((byte)i);
        return (nint)Unsafe.AsPointer(ref Float8Values[0]);
    }

    private interface ICodes
    {
        static abstract TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged;
    }

    private interface IForm
    {
        static abstract TVector Apply<TSimd, TVector>(TVector code, TVector scale, TVector offset) where TSimd : IFloatSimd<TVector> where TVector : unmanaged;
    }

    private readonly struct HalfCodes : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.LoadHalf((ushort*)codes + index);
    }

    private readonly struct BFloat16Codes : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.LoadBFloat16((ushort*)codes + index);
    }

    private readonly struct ByteCodes : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.LoadBytes((byte*)codes + index);
    }

    private readonly struct SignedByteCodes : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.LoadSignedBytes((sbyte*)codes + index);
    }

    private readonly struct FloatCodes : ICodes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(void* codes, nint index) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.Load((float*)codes + index);
    }

    private readonly struct PlainForm : IForm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply<TSimd, TVector>(TVector code, TVector scale, TVector offset) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.Multiply(scale, code);
    }

    private readonly struct ZeroPointForm : IForm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply<TSimd, TVector>(TVector code, TVector scale, TVector offset) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.Multiply(scale, TSimd.Subtract(code, offset));
    }

    // Two roundings, as the format states: never a fused multiply-add.
    private readonly struct MinimumForm : IForm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Apply<TSimd, TVector>(TVector code, TVector scale, TVector offset) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
            TSimd.Add(TSimd.Multiply(scale, code), offset);
    }
}
