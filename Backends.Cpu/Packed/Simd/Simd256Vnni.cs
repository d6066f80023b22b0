using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Portable.Backends.Cpu;

/// <summary>256-bit registers with AVX-VNNI: dot products straight into 32 bits, all else as <see cref="Simd256"/>.</summary>
internal readonly unsafe struct Simd256Vnni : ISimd<Vector256<byte>>
{
    /// <summary>Whether this machine has the instructions.</summary>
    public static bool IsSupported => AvxVnni.IsSupported && Simd256.IsSupported;

    public static int Lanes => Simd256.Lanes;

    public static int NibbleStart => ActivationRows.Nibbles;

    public static bool BytesAreShifted => true;

    public static Vector256<byte> Zero => Simd256.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(void* source) => Simd256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<byte> value, void* destination) => Simd256.Store(value, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Broadcast(sbyte* source) => Simd256.Broadcast(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Broadcast(float value) => Simd256.Broadcast(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LowNibbles(Vector256<byte> bytes) => Simd256.LowNibbles(bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> HighNibbles(Vector256<byte> bytes) => Simd256.HighNibbles(bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotNibbles(Vector256<byte> accumulator, Vector256<byte> codes, Vector256<byte> activations) =>
        AvxVnni.MultiplyWideningAndAdd(accumulator.AsInt32(), codes, activations.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> SumOfNibbles(Vector256<byte> accumulator) => accumulator;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotSixBits(
        Vector256<byte> accumulator, Vector256<byte> codes0, Vector256<byte> codes1, Vector256<byte> activations0, Vector256<byte> activations1) =>
        DotBytes(DotBytes(accumulator, codes0, activations0), codes1, activations1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> WithHighBits(Vector256<byte> nibbles, Vector256<byte> pairs, int index) => Simd256.WithHighBits(nibbles, pairs, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Shift128(Vector256<byte> codes) => Simd256.Shift128(codes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AddIntegers(Vector256<byte> left, Vector256<byte> right) => Simd256.AddIntegers(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> TimesFour(Vector256<byte> integers) => Simd256.TimesFour(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> DotBytes(Vector256<byte> accumulator, Vector256<byte> codes, Vector256<byte> activations) =>
        AvxVnni.MultiplyWideningAndAdd(accumulator.AsInt32(), codes, activations.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> ToFloat(Vector256<byte> integers) => Simd256.ToFloat(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Multiply(Vector256<byte> left, Vector256<byte> right) => Simd256.Multiply(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> MultiplyAdd(Vector256<byte> left, Vector256<byte> right, Vector256<byte> addend) =>
        Simd256.MultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LoadHalves(ushort* source) => Simd256.LoadHalves(source);
}
