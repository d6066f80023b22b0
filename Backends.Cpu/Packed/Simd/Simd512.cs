using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>512-bit registers with AVX-512F and BW.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<byte>>
{
    /// <summary>Whether this machine has the instructions.</summary>
    public static bool IsSupported => Avx512BW.IsSupported;

    public static int Lanes => 16;

    public static int NibbleStart => ActivationRows.PairedNibbles;

    public static bool BytesAreShifted => false;

    public static Vector512<byte> Zero => Vector512<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Load(void* source) => Vector512.Load((byte*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<byte> value, void* destination) => value.Store((byte*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Broadcast(sbyte* source) => Vector512.Create(*(int*)source).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Broadcast(float value) => Vector512.Create(value).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> LowNibbles(Vector512<byte> bytes) => bytes & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> HighNibbles(Vector512<byte> bytes) =>
        Vector512.ShiftRightLogical(bytes.AsUInt16(), 4).AsByte() & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> DotNibbles(Vector512<byte> accumulator, Vector512<byte> codes, Vector512<byte> activations) =>
        (accumulator.AsInt16() + Avx512BW.MultiplyAddAdjacent(codes, activations.AsSByte())).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> SumOfNibbles(Vector512<byte> accumulator) =>
        Avx512BW.MultiplyAddAdjacent(accumulator.AsInt16(), Vector512<short>.One).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> DotSixBits(
        Vector512<byte> accumulator, Vector512<byte> codes0, Vector512<byte> codes1, Vector512<byte> activations0, Vector512<byte> activations1)
    {
        // 4 * 63 * 127 fits 16 bits.
        Vector512<short> pairs = Avx512BW.MultiplyAddAdjacent(codes0, activations0.AsSByte()) + Avx512BW.MultiplyAddAdjacent(codes1, activations1.AsSByte());
        return (accumulator.AsInt32() + Avx512BW.MultiplyAddAdjacent(pairs, Vector512<short>.One)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> WithHighBits(Vector512<byte> nibbles, Vector512<byte> pairs, int index)
    {
        Vector512<ushort> moved = index < 2 ? pairs.AsUInt16() << (4 - (2 * index)) : pairs.AsUInt16() >>> ((2 * index) - 4);
        return nibbles | (moved.AsByte() & Vector512.Create((byte)0x30));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Shift128(Vector512<byte> codes) => codes ^ Vector512.Create((byte)0x80);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> AddIntegers(Vector512<byte> left, Vector512<byte> right) => (left.AsInt32() + right.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> TimesFour(Vector512<byte> integers) => (integers.AsInt32() << 2).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> DotBytes(Vector512<byte> accumulator, Vector512<byte> codes, Vector512<byte> activations)
    {
        // The sign instruction of the narrower sets is missing here: negate under a mask. A code of zero multiplies by zero.
        Vector512<sbyte> signed = Vector512.ConditionalSelect(
            Vector512.LessThan(codes.AsSByte(), Vector512<sbyte>.Zero), -activations.AsSByte(), activations.AsSByte());
        Vector512<short> pairs = Avx512BW.MultiplyAddAdjacent(Avx512BW.Abs(codes.AsSByte()), signed);
        return (accumulator.AsInt32() + Avx512BW.MultiplyAddAdjacent(pairs, Vector512<short>.One)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> ToFloat(Vector512<byte> integers) => Vector512.ConvertToSingle(integers.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Multiply(Vector512<byte> left, Vector512<byte> right) => (left.AsSingle() * right.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> MultiplyAdd(Vector512<byte> left, Vector512<byte> right, Vector512<byte> addend) =>
        Avx512F.FusedMultiplyAdd(left.AsSingle(), right.AsSingle(), addend.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> LoadHalves(ushort* source) =>
        ((Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source)) << 13) & Vector512.Create(unchecked((int)0x8fffe000))).AsByte();
}
