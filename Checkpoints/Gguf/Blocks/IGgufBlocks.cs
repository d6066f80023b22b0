namespace Portable.Checkpoints;

/// <summary>How the blocks of one GGUF type become canonical, without loss.</summary>
internal interface IGgufBlocks
{
    /// <summary>The canonical format.</summary>
    WeightFormat Format { get; }

    /// <summary>The values of the codes where the format is <see cref="WeightEncoding.Codebook4"/>.</summary>
    float[]? Codebook => null;

    /// <summary>
    /// Converts the blocks of one row. The destinations hold that row, as <see cref="WeightMatrix"/> lays it out; those
    /// the format does not have are empty.
    /// </summary>
    void ReadRow(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<byte> zeroPoints, Span<float> minimums);
}
