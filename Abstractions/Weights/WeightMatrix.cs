using System.Runtime.InteropServices;

namespace Portable;

/// <summary>
/// A weight matrix W [rows = outputs N, columns = inputs K] in the canonical form: what every checkpoint format becomes
/// without loss, and what <see cref="Device.LoadWeight"/> takes. y = x W^T. Codes are row-major, each row starting at a
/// byte; scales, zero points and minimums are row-major [rows, groups]. The memory is either owned (native) or borrowed
/// from a mapped file that must outlive the matrix. Reading is thread-safe; disposing while reading is not.
/// </summary>
public sealed unsafe partial class WeightMatrix : IDisposable
{
    private void* _owned;
    private readonly byte* _codes;
    private readonly float* _scales;
    private readonly float* _minimums;
    private readonly byte* _zeroPoints;
    private readonly float[]? _codebook;
    private readonly int[]? _groupIndex;
    private readonly long _rowBytes;

    private WeightMatrix(
        string name, int rows, int columns, WeightFormat format, byte* borrowed, float[]? codebook, int[]? groupIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        if (format.IsPlain != (format.GroupSize == 0))
            throw new ArgumentException($"{format} with group size {format.GroupSize}", nameof(format));
        if ((format.Encoding == WeightEncoding.Codebook4) != (codebook is { Length: 16 }))
            throw new ArgumentException("a codebook of 16 values belongs to Codebook4 and to nothing else", nameof(codebook));
        if (groupIndex is not null && groupIndex.Length != columns)
            throw new ArgumentException("one group index per column", nameof(groupIndex));
        Name = name;
        Rows = rows;
        Columns = columns;
        Format = format;
        Groups = format.Groups(columns);
        _codebook = codebook;
        _groupIndex = groupIndex;
        _rowBytes = format.RowBytes(columns);
        if (borrowed is not null)
        {
            _codes = borrowed;
            return;
        }

        long codes = Align(checked(rows * _rowBytes));
        long perGroup = checked((long)rows * Groups);
        long scales = format.IsPlain ? 0 : Align(perGroup * sizeof(float));
        long minimums = format.Offset == GroupOffset.Minimum ? Align(perGroup * sizeof(float)) : 0;
        long zeroPoints = format.Offset == GroupOffset.ZeroPoint ? Align(perGroup) : 0;
        Bytes = codes + scales + minimums + zeroPoints;
        byte* block = HugePages.Allocate(Bytes);
        _owned = block;
        _codes = block;
        _scales = scales == 0 ? null : (float*)(block + codes);
        _minimums = minimums == 0 ? null : (float*)(block + codes + scales);
        _zeroPoints = zeroPoints == 0 ? null : block + codes + scales + minimums;
    }

    /// <summary>Frees owned memory that was never disposed of.</summary>
    ~WeightMatrix() => Free();

    /// <summary>The tensor's name, for errors.</summary>
    public string Name { get; }

    /// <summary>Outputs N.</summary>
    public int Rows { get; }

    /// <summary>Inputs K.</summary>
    public int Columns { get; }

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Groups of one row; 0 for plain floats.</summary>
    public int Groups { get; }

    /// <summary>Bytes of owned memory; 0 when borrowed.</summary>
    public long Bytes { get; }

    /// <summary>The 16 values of a codebook matrix, else empty.</summary>
    public ReadOnlySpan<float> Codebook => _codebook;

    /// <summary>The group of each column where groups are not neighbours (act-order), else empty.</summary>
    public ReadOnlySpan<int> GroupIndex => _groupIndex;

    /// <summary>
    /// A matrix with memory of its own, not initialised, to be filled through <see cref="Codes"/>, <see cref="Scales"/>,
    /// <see cref="ZeroPoints"/> and <see cref="Minimums"/>.
    /// </summary>
    public static WeightMatrix Allocate(
        string name, int rows, int columns, WeightFormat format, float[]? codebook = null, int[]? groupIndex = null) =>
        new(name, rows, columns, format, null, codebook, groupIndex);

    /// <summary>A plain matrix whose rows lie one after another in memory that outlives it, such as a mapped file.</summary>
    public static WeightMatrix Borrow(string name, int rows, int columns, WeightEncoding encoding, byte* data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var format = new WeightFormat(encoding);
        if (!format.IsPlain)
            throw new ArgumentException($"only plain matrices can be borrowed, not {format}", nameof(encoding));
        return new(name, rows, columns, format, data, null, null);
    }

    /// <summary>The codes of a row, as in <see cref="WeightFormat.RowBytes"/>. Write only what <see cref="Allocate"/> made.</summary>
    public Span<byte> Codes(int row) => new(_codes + (CheckedRow(row) * _rowBytes), checked((int)_rowBytes));

    /// <summary>The scales of a row, one per group; empty for plain floats.</summary>
    public Span<float> Scales(int row) => _scales is null ? default : new(_scales + (CheckedRow(row) * Groups), Groups);

    /// <summary>The zero points of a row, one per group; empty unless the format has them.</summary>
    public Span<byte> ZeroPoints(int row) => _zeroPoints is null ? default : new(_zeroPoints + (CheckedRow(row) * Groups), Groups);

    /// <summary>The minimums of a row, one per group; empty unless the format has them.</summary>
    public Span<float> Minimums(int row) => _minimums is null ? default : new(_minimums + (CheckedRow(row) * Groups), Groups);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static long Align(long bytes) => (bytes + 63) & ~63L;

    private long CheckedRow(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        return row;
    }

    private void Free()
    {
        void* block = _owned;
        _owned = null;
        if (block is not null)
            NativeMemory.AlignedFree(block);
    }
}
