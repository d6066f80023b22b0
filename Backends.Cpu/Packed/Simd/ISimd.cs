namespace Portable.Backends.Cpu;

/// <summary>
/// The few vector instructions the packed kernels are written in, so that one kernel serves every width. A value of
/// <typeparamref name="TVector"/> holds bytes, or 32-bit integer or float lanes, as the operation says. Integer results
/// are exact and float operations round once in every implementation, so all widths give the same bits.
/// </summary>
/// <typeparam name="TVector">The register.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>32-bit lanes of a register.</summary>
    static abstract int Lanes { get; }

    /// <summary>All bits zero: float, integer and dot accumulators alike.</summary>
    static abstract TVector Zero { get; }

    /// <summary>Loads a register; no alignment needed.</summary>
    static abstract TVector Load(void* source);

    /// <summary>Stores a register; no alignment needed.</summary>
    static abstract void Store(TVector value, void* destination);

    /// <summary>Four bytes into every lane.</summary>
    static abstract TVector Broadcast(sbyte* source);

    /// <summary>A float into every lane.</summary>
    static abstract TVector Broadcast(float value);

    /// <summary>byte &amp; 15.</summary>
    static abstract TVector LowNibbles(TVector bytes);

    /// <summary>byte &gt;&gt; 4.</summary>
    static abstract TVector HighNibbles(TVector bytes);

    /// <summary>
    /// Adds the dot products of four codes 0..15 with four activations -127..127 to every lane of a dot accumulator,
    /// which takes 8 of these before <see cref="SumOfNibbles"/>: 8 * 2 * 15 * 127 fits 16 bits.
    /// </summary>
    static abstract TVector DotNibbles(TVector accumulator, TVector codes, TVector activations);

    /// <summary>Which of <see cref="ActivationRows.Starts"/> an accumulator of <see cref="DotNibbles"/> may begin with instead of zero.</summary>
    static abstract int NibbleStart { get; }

    /// <summary>The 32-bit integers of an accumulator of <see cref="DotNibbles"/>.</summary>
    static abstract TVector SumOfNibbles(TVector accumulator);

    /// <summary>Adds the dot products of two times four codes 0..63 with as many activations -127..127 to every 32-bit lane.</summary>
    static abstract TVector DotSixBits(TVector accumulator, TVector codes0, TVector codes1, TVector activations0, TVector activations1);

    /// <summary>
    /// Bits 4 and 5 of every byte from a byte that holds four such pairs, at bit 2 * index, over a nibble; index is a
    /// constant.
    /// </summary>
    static abstract TVector WithHighBits(TVector nibbles, TVector pairs, int index);

    /// <summary>Adds the dot product of four codes with four activations -127..127 to every 32-bit lane: codes -128..127, or 0..255 where <see cref="BytesAreShifted"/>.</summary>
    static abstract TVector DotBytes(TVector accumulator, TVector codes, TVector activations);

    /// <summary>Whether <see cref="DotBytes"/> takes codes plus 128, and a sum is to start with <see cref="ActivationRows.Starts"/>; TileProduct asks for the type instead, and says why.</summary>
    static abstract bool BytesAreShifted { get; }

    /// <summary>codes ^ 0x80.</summary>
    static abstract TVector Shift128(TVector codes);

    /// <summary>Sums of integer lanes.</summary>
    static abstract TVector AddIntegers(TVector left, TVector right);

    /// <summary>Integer lanes times 4.</summary>
    static abstract TVector TimesFour(TVector integers);

    /// <summary>Integer lanes to float lanes; exact below 2^24.</summary>
    static abstract TVector ToFloat(TVector integers);

    /// <summary>left * right, rounded.</summary>
    static abstract TVector Multiply(TVector left, TVector right);

    /// <summary>(left * right) + addend, rounded once.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    /// <summary>
    /// Finite binary16 values to float lanes, times 2^-112: the bits are moved without renewing the exponent, exact
    /// also for subnormals.
    /// </summary>
    static abstract TVector LoadHalves(ushort* source);
}
