namespace Portable.Backends.Cpu;

/// <summary>
/// Where the codes, scales and offsets of a canonical matrix lie; see <see cref="WeightMatrix"/>. Holds no managed
/// reference, so that it can travel in a job.
/// </summary>
internal unsafe struct CanonicalRows
{
    /// <summary>How weights are stored.</summary>
    public WeightFormat Format;

    /// <summary>Inputs K.</summary>
    public int Columns;

    /// <summary>Groups of one row.</summary>
    public int Groups;

    /// <summary>Bytes of the codes of one row.</summary>
    public long RowBytes;

    /// <summary>[rows, RowBytes].</summary>
    public byte* Codes;

    /// <summary>[rows, groups], or null for plain floats.</summary>
    public float* Scales;

    /// <summary>[rows, groups], or null.</summary>
    public float* Minimums;

    /// <summary>[rows, groups], or null.</summary>
    public byte* ZeroPoints;

    /// <summary>16 values, or null.</summary>
    public float* Codebook;

    /// <summary>[columns], or null where groups are neighbours.</summary>
    public int* GroupIndex;
}
