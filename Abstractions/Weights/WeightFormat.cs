namespace Portable;

/// <summary>How one weight is stored in the canonical form.</summary>
public enum WeightEncoding : byte
{
    /// <summary>binary32, no scales.</summary>
    Float32,

    /// <summary>binary16, no scales.</summary>
    Float16,

    /// <summary>bfloat16, no scales.</summary>
    BFloat16,

    /// <summary>Unsigned 4-bit code, two per byte, the low nibble is the even column.</summary>
    UInt4,

    /// <summary>4-bit index into 16 float32 values, packed as <see cref="UInt4"/>.</summary>
    Codebook4,

    /// <summary>Signed 8-bit code.</summary>
    Int8,

    /// <summary>Unsigned 8-bit code.</summary>
    UInt8,

    /// <summary>8-bit float, 4 exponent bits, 3 mantissa bits, no infinities (OCP E4M3).</summary>
    Float8E4M3,
}

/// <summary>What a group adds to scale times code.</summary>
public enum GroupOffset : byte
{
    /// <summary>w = s * q.</summary>
    None,

    /// <summary>w = s * (q - z), z an integer per group.</summary>
    ZeroPoint,

    /// <summary>w = (s * q) + m, m a float32 per group.</summary>
    Minimum,
}

/// <summary>
/// The format of a canonical matrix. <see cref="GroupSize"/> is the number of neighbouring inputs (columns) that share
/// a scale, 0 for plain floats.
/// </summary>
/// <param name="Encoding">How a weight is stored.</param>
/// <param name="GroupSize">Columns per group; 0 for plain floats. The last group of a row may be short.</param>
/// <param name="Offset">What a group adds.</param>
public readonly record struct WeightFormat(WeightEncoding Encoding, int GroupSize = 0, GroupOffset Offset = GroupOffset.None)
{
    /// <summary>Whether weights are plain floats without scales.</summary>
    public bool IsPlain => Encoding is WeightEncoding.Float32 or WeightEncoding.Float16 or WeightEncoding.BFloat16;

    /// <summary>Bits of one code.</summary>
    public int Bits => Encoding switch
    {
        WeightEncoding.Float32 => 32,
        WeightEncoding.Float16 or WeightEncoding.BFloat16 => 16,
        WeightEncoding.UInt4 or WeightEncoding.Codebook4 => 4,
        _ => 8,
    };

    /// <summary>Bytes of the codes of one row.</summary>
    public long RowBytes(int columns) => ((long)columns * Bits + 7) / 8;

    /// <summary>Groups of one row.</summary>
    public int Groups(int columns) => GroupSize == 0 ? 0 : (columns + GroupSize - 1) / GroupSize;

    /// <inheritdoc/>
    public override string ToString() => Encoding switch
    {
        WeightEncoding.Float32 => "float32",
        WeightEncoding.Float16 => "float16",
        WeightEncoding.BFloat16 => "bfloat16",
        WeightEncoding.UInt4 => $"u4 g{GroupSize}",
        WeightEncoding.Codebook4 => $"codebook4 g{GroupSize}",
        WeightEncoding.Int8 => $"s8 g{GroupSize}",
        WeightEncoding.UInt8 => $"u8 g{GroupSize}",
        _ => $"e4m3 g{GroupSize}",
    };
}
