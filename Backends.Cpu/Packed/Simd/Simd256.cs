using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>256-bit registers with AVX2 and FMA.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<byte>>
{
    /// <summary>Whether this machine has the instructions.</summary>
    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    public static int Lanes => 8;

    public static int NibbleStart => ActivationRows.PairedNibbles;

    public static bool BytesAreShifted => false;

    public static Vector256<byte> Zero => Vector256<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(void* source) => Vector256.Load((byte*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<byte> value, void* destination) => value.Store((byte*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Broadcast(sbyte* source) => Vector256.Create(*(int*)source).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Broadcast(float value) => Vector256.Create(value).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LowNibbles(Vector256<byte> bytes) => bytes & Vector256.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> HighNibbles(Vector256<byte> bytes) =>
        Vector256.ShiftRightLogical(bytes.AsUInt16(), 4).AsByte() & Vector256.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotNibbles(Vector256<byte> accumulator, Vector256<byte> codes, Vector256<byte> activations) =>
        (accumulator.AsInt16() + Avx2.MultiplyAddAdjacent(codes, activations.AsSByte())).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> SumOfNibbles(Vector256<byte> accumulator) =>
        Avx2.MultiplyAddAdjacent(accumulator.AsInt16(), Vector256<short>.One).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotSixBits(
        Vector256<byte> accumulator, Vector256<byte> codes0, Vector256<byte> codes1, Vector256<byte> activations0, Vector256<byte> activations1)
    {
        // 4 * 63 * 127 fits 16 bits.
        Vector256<short> pairs = Avx2.MultiplyAddAdjacent(codes0, activations0.AsSByte()) + Avx2.MultiplyAddAdjacent(codes1, activations1.AsSByte());
        return (accumulator.AsInt32() + Avx2.MultiplyAddAdjacent(pairs, Vector256<short>.One)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> WithHighBits(Vector256<byte> nibbles, Vector256<byte> pairs, int index)
    {
        Vector256<ushort> moved = index < 2 ? pairs.AsUInt16() << (4 - (2 * index)) : pairs.AsUInt16() >>> ((2 * index) - 4);
        return nibbles | (moved.AsByte() & Vector256.Create((byte)0x30));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift128(Vector256<byte> codes) => codes ^ Vector256.Create((byte)0x80);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AddIntegers(Vector256<byte> left, Vector256<byte> right) => (left.AsInt32() + right.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> TimesFour(Vector256<byte> integers) => (integers.AsInt32() << 2).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotBytes(Vector256<byte> accumulator, Vector256<byte> codes, Vector256<byte> activations)
    {
        // |code| * (sign of code * activation): the pairs stay below 2 * 128 * 127, where signed codes plus 128 would saturate.
        Vector256<short> pairs = Avx2.MultiplyAddAdjacent(Avx2.Abs(codes.AsSByte()), Avx2.Sign(activations.AsSByte(), codes.AsSByte()));
        return (accumulator.AsInt32() + Avx2.MultiplyAddAdjacent(pairs, Vector256<short>.One)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> ToFloat(Vector256<byte> integers) => Vector256.ConvertToSingle(integers.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Multiply(Vector256<byte> left, Vector256<byte> right) => (left.AsSingle() * right.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> MultiplyAdd(Vector256<byte> left, Vector256<byte> right, Vector256<byte> addend) =>
        Fma.MultiplyAdd(left.AsSingle(), right.AsSingle(), addend.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LoadHalves(ushort* source) =>
        ((Avx2.ConvertToVector256Int32((short*)source) << 13) & Vector256.Create(unchecked((int)0x8fffe000))).AsByte();
}
