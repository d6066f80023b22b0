using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>128-bit registers: SSSE3, or Advanced SIMD of 64-bit Arm.</summary>
internal readonly unsafe struct Simd128 : ISimd<Vector128<byte>>
{
    /// <summary>Whether this machine has the instructions.</summary>
    public static bool IsSupported => Ssse3.IsSupported || AdvSimd.Arm64.IsSupported;

    public static int Lanes => 4;

    public static int NibbleStart => Dp.IsSupported ? ActivationRows.Nibbles : ActivationRows.PairedNibbles;

    public static bool BytesAreShifted => false;

    public static Vector128<byte> Zero => Vector128<byte>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load(void* source) => Vector128.Load((byte*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<byte> value, void* destination) => value.Store((byte*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Broadcast(sbyte* source) => Vector128.Create(*(int*)source).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Broadcast(float value) => Vector128.Create(value).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> LowNibbles(Vector128<byte> bytes) => bytes & Vector128.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> HighNibbles(Vector128<byte> bytes) =>
        Vector128.ShiftRightLogical(bytes.AsUInt16(), 4).AsByte() & Vector128.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> DotNibbles(Vector128<byte> accumulator, Vector128<byte> codes, Vector128<byte> activations) =>
        Dp.IsSupported
            ? Dp.DotProduct(accumulator.AsInt32(), codes.AsSByte(), activations.AsSByte()).AsByte()
            : (accumulator.AsInt16() + PairSums(codes, activations.AsSByte())).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> SumOfNibbles(Vector128<byte> accumulator) =>
        Dp.IsSupported ? accumulator : SumOfPairs(accumulator.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> DotSixBits(
        Vector128<byte> accumulator, Vector128<byte> codes0, Vector128<byte> codes1, Vector128<byte> activations0, Vector128<byte> activations1)
    {
        if (Dp.IsSupported)
            return Dp.DotProduct(Dp.DotProduct(accumulator.AsInt32(), codes0.AsSByte(), activations0.AsSByte()), codes1.AsSByte(), activations1.AsSByte()).AsByte();
        // 4 * 63 * 127 fits 16 bits.
        return (accumulator.AsInt32() + SumOfPairs(PairSums(codes0, activations0.AsSByte()) + PairSums(codes1, activations1.AsSByte()))).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> WithHighBits(Vector128<byte> nibbles, Vector128<byte> pairs, int index)
    {
        Vector128<ushort> moved = index < 2 ? pairs.AsUInt16() << (4 - (2 * index)) : pairs.AsUInt16() >>> ((2 * index) - 4);
        return nibbles | (moved.AsByte() & Vector128.Create((byte)0x30));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Shift128(Vector128<byte> codes) => codes ^ Vector128.Create((byte)0x80);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> AddIntegers(Vector128<byte> left, Vector128<byte> right) => (left.AsInt32() + right.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> TimesFour(Vector128<byte> integers) => (integers.AsInt32() << 2).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> DotBytes(Vector128<byte> accumulator, Vector128<byte> codes, Vector128<byte> activations)
    {
        if (Dp.IsSupported)
            return Dp.DotProduct(accumulator.AsInt32(), codes.AsSByte(), activations.AsSByte()).AsByte();
        Vector128<short> pairs = Ssse3.IsSupported
            ? Ssse3.MultiplyAddAdjacent(Ssse3.Abs(codes.AsSByte()), Ssse3.Sign(activations.AsSByte(), codes.AsSByte()))
            : PairSums(codes, activations.AsSByte());
        return (accumulator.AsInt32() + SumOfPairs(pairs)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> ToFloat(Vector128<byte> integers) => Vector128.ConvertToSingle(integers.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Multiply(Vector128<byte> left, Vector128<byte> right) => (left.AsSingle() * right.AsSingle()).AsByte();

    // Fused also where the processor has no such instruction, and then slow: the bits come first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> MultiplyAdd(Vector128<byte> left, Vector128<byte> right, Vector128<byte> addend) =>
        Vector128.FusedMultiplyAdd(left.AsSingle(), right.AsSingle(), addend.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> LoadHalves(ushort* source) =>
        ((Vector128.WidenLower(Vector128.CreateScalar(*(long*)source).AsInt16()) << 13) & Vector128.Create(unchecked((int)0x8fffe000))).AsByte();

    // Sums of two neighbouring products. On Arm the codes are read as signed: nibbles are never negative, and bytes are meant so.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<short> PairSums(Vector128<byte> codes, Vector128<sbyte> activations) =>
        Ssse3.IsSupported
            ? Ssse3.MultiplyAddAdjacent(codes, activations)
            : AdvSimd.Arm64.AddPairwise(
                AdvSimd.MultiplyWideningLower(codes.AsSByte().GetLower(), activations.GetLower()),
                AdvSimd.MultiplyWideningUpper(codes.AsSByte(), activations));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> SumOfPairs(Vector128<short> pairs) =>
        Sse2.IsSupported
            ? Sse2.MultiplyAddAdjacent(pairs, Vector128<short>.One)
            : AdvSimd.AddPairwiseWidening(pairs);
}
