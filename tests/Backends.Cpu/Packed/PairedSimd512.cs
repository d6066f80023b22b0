using System.Runtime.Intrinsics;
using Portable.Backends.Cpu;

namespace Portable.Tests;

/// <summary>
/// 512-bit registers made of two of 256 bits, so that the kernels' code for 16 lanes runs on machines without AVX-512.
/// </summary>
internal readonly unsafe struct PairedSimd512 : ISimd<Vector512<byte>>
{
    public static int Lanes => 16;

    public static int NibbleStart => Simd256.NibbleStart;

    public static bool BytesAreShifted => false;

    public static Vector512<byte> Zero => default;

    public static Vector512<byte> Load(void* source) => Vector512.Load((byte*)source);

    public static void Store(Vector512<byte> value, void* destination) => value.Store((byte*)destination);

    public static Vector512<byte> Broadcast(sbyte* source) => Vector512.Create(*(int*)source).AsByte();

    public static Vector512<byte> Broadcast(float value) => Vector512.Create(value).AsByte();

    public static Vector512<byte> LowNibbles(Vector512<byte> bytes) =>
        Vector512.Create(Simd256.LowNibbles(bytes.GetLower()), Simd256.LowNibbles(bytes.GetUpper()));

    public static Vector512<byte> HighNibbles(Vector512<byte> bytes) =>
        Vector512.Create(Simd256.HighNibbles(bytes.GetLower()), Simd256.HighNibbles(bytes.GetUpper()));

    public static Vector512<byte> DotNibbles(Vector512<byte> accumulator, Vector512<byte> codes, Vector512<byte> activations) => Vector512.Create(
        Simd256.DotNibbles(accumulator.GetLower(), codes.GetLower(), activations.GetLower()),
        Simd256.DotNibbles(accumulator.GetUpper(), codes.GetUpper(), activations.GetUpper()));

    public static Vector512<byte> SumOfNibbles(Vector512<byte> accumulator) =>
        Vector512.Create(Simd256.SumOfNibbles(accumulator.GetLower()), Simd256.SumOfNibbles(accumulator.GetUpper()));

    public static Vector512<byte> DotSixBits(
        Vector512<byte> accumulator, Vector512<byte> codes0, Vector512<byte> codes1, Vector512<byte> activations0, Vector512<byte> activations1) => Vector512.Create(
        Simd256.DotSixBits(accumulator.GetLower(), codes0.GetLower(), codes1.GetLower(), activations0.GetLower(), activations1.GetLower()),
        Simd256.DotSixBits(accumulator.GetUpper(), codes0.GetUpper(), codes1.GetUpper(), activations0.GetUpper(), activations1.GetUpper()));

    public static Vector512<byte> WithHighBits(Vector512<byte> nibbles, Vector512<byte> pairs, int index) => Vector512.Create(
        Simd256.WithHighBits(nibbles.GetLower(), pairs.GetLower(), index), Simd256.WithHighBits(nibbles.GetUpper(), pairs.GetUpper(), index));

    public static Vector512<byte> Shift128(Vector512<byte> codes) => Vector512.Create(Simd256.Shift128(codes.GetLower()), Simd256.Shift128(codes.GetUpper()));

    public static Vector512<byte> AddIntegers(Vector512<byte> left, Vector512<byte> right) => Vector512.Create(Simd256.AddIntegers(left.GetLower(), right.GetLower()), Simd256.AddIntegers(left.GetUpper(), right.GetUpper()));

    public static Vector512<byte> TimesFour(Vector512<byte> integers) => Vector512.Create(Simd256.TimesFour(integers.GetLower()), Simd256.TimesFour(integers.GetUpper()));

    public static Vector512<byte> DotBytes(Vector512<byte> accumulator, Vector512<byte> codes, Vector512<byte> activations) => Vector512.Create(
        Simd256.DotBytes(accumulator.GetLower(), codes.GetLower(), activations.GetLower()),
        Simd256.DotBytes(accumulator.GetUpper(), codes.GetUpper(), activations.GetUpper()));

    public static Vector512<byte> ToFloat(Vector512<byte> integers) =>
        Vector512.Create(Simd256.ToFloat(integers.GetLower()), Simd256.ToFloat(integers.GetUpper()));

    public static Vector512<byte> Multiply(Vector512<byte> left, Vector512<byte> right) =>
        Vector512.Create(Simd256.Multiply(left.GetLower(), right.GetLower()), Simd256.Multiply(left.GetUpper(), right.GetUpper()));

    public static Vector512<byte> MultiplyAdd(Vector512<byte> left, Vector512<byte> right, Vector512<byte> addend) => Vector512.Create(
        Simd256.MultiplyAdd(left.GetLower(), right.GetLower(), addend.GetLower()),
        Simd256.MultiplyAdd(left.GetUpper(), right.GetUpper(), addend.GetUpper()));

    public static Vector512<byte> LoadHalves(ushort* source) =>
        Vector512.Create(Simd256.LoadHalves(source), Simd256.LoadHalves(source + 8));
}
