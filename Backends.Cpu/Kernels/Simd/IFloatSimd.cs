using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// Arithmetic on one vector of float32, so that a kernel is written once and specialised by the JIT for each width of
/// the ladder 512, 256, 128 bits and scalar. No member allocates or checks bounds.
/// </summary>
/// <typeparam name="TVector">The vector: Vector512, Vector256 or Vector128 of float, or float.</typeparam>
internal unsafe interface IFloatSimd<TVector> where TVector : unmanaged
{
    /// <summary>Lanes, at most 16.</summary>
    static abstract int Count { get; }

    /// <summary>Unaligned load.</summary>
    static abstract TVector Load(float* source);

    /// <summary>Loads float16 and widens; exact.</summary>
    static abstract TVector LoadHalf(ushort* source);

    /// <summary>Loads bfloat16 and widens; exact.</summary>
    static abstract TVector LoadBFloat16(ushort* source);

    /// <summary>Loads unsigned bytes and converts.</summary>
    static abstract TVector LoadBytes(byte* source);

    /// <summary>Loads signed bytes and converts.</summary>
    static abstract TVector LoadSignedBytes(sbyte* source);

    /// <summary>Unaligned store.</summary>
    static abstract void Store(float* destination, TVector value);

    /// <summary>Rounds to float16, to nearest even, and stores.</summary>
    static abstract void StoreHalf(ushort* destination, TVector value);

    /// <summary>One value in every lane.</summary>
    static abstract TVector Broadcast(float value);

    /// <summary>x + y.</summary>
    static abstract TVector Add(TVector x, TVector y);

    /// <summary>x - y.</summary>
    static abstract TVector Subtract(TVector x, TVector y);

    /// <summary>x * y.</summary>
    static abstract TVector Multiply(TVector x, TVector y);

    /// <summary>x / y.</summary>
    static abstract TVector Divide(TVector x, TVector y);

    /// <summary>(x * y) + z, with one rounding where the processor has the instruction.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y, TVector z);

    /// <summary>The smaller; the second where one is not a number, so that a NaN given second survives.</summary>
    static abstract TVector Min(TVector x, TVector y);

    /// <summary>The larger; the second where one is not a number.</summary>
    static abstract TVector Max(TVector x, TVector y);

    /// <summary>Magnitude.</summary>
    static abstract TVector Abs(TVector x);

    /// <summary>Nearest integer of a value below 2^22 in magnitude.</summary>
    static abstract TVector Round(TVector x);

    /// <summary>2^n for integral n in -126 … 127.</summary>
    static abstract TVector PowerOfTwo(TVector n);

    /// <summary>Per lane: whether x is less than y, then a, else b.</summary>
    static abstract TVector SelectLess(TVector x, TVector y, TVector a, TVector b);

    /// <summary>Sum of the lanes, in one fixed order.</summary>
    static abstract float Sum(TVector x);

    /// <summary>Sums of the lanes of four vectors, each in one fixed order.</summary>
    static abstract Vector128<float> Sum4(TVector a, TVector b, TVector c, TVector d);

    /// <summary>The largest lane.</summary>
    static abstract float MaxLane(TVector x);
}
