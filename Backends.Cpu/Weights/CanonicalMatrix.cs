namespace Portable.Backends.Cpu;

/// <summary>
/// A copy of a canonical matrix, code for code: the layout of the reference mode, and of plain floats in both modes.
/// Rows are evaluated to float32 in blocks and multiplied there.
/// </summary>
internal sealed unsafe partial class CanonicalMatrix : CpuMatrix
{
    private readonly NativeBlock _block;
    private readonly byte* _codes;
    private readonly float* _scales;
    private readonly float* _minimums;
    private readonly byte* _zeroPoints;
    private readonly float* _codebook;
    private readonly int* _groupIndex;
    private readonly long _rowBytes;
    private readonly int _groups;

    /// <summary>Copies the matrix. Throws <see cref="InvalidModelException"/> for a group index outside the groups.</summary>
    public CanonicalMatrix(WeightMatrix matrix) : base(matrix.Rows, matrix.Columns)
    {
        Format = matrix.Format;
        _rowBytes = Format.RowBytes(Columns);
        _groups = matrix.Groups;
        CheckGroupIndex(matrix);
        (long codes, long scales, long minimums, long zeroPoints) = Sections(Rows, Columns, Format);
        long codebook = NativeBlock.Align(matrix.Codebook.Length * sizeof(float));
        _block = new NativeBlock(codes + scales + minimums + zeroPoints + codebook + (matrix.GroupIndex.Length * sizeof(int)));
        byte* next = _block.Pointer;
        _codes = Take(codes);
        _scales = (float*)Take(scales);
        _minimums = (float*)Take(minimums);
        _zeroPoints = Take(zeroPoints);
        _codebook = (float*)Take(codebook);
        _groupIndex = matrix.GroupIndex.IsEmpty ? null : (int*)next;
        for (int row = 0; row < Rows; row++)
        {
            matrix.Codes(row).CopyTo(new(_codes + (row * _rowBytes), (int)_rowBytes));
            Copy(matrix.Scales(row), _scales, row);
            Copy(matrix.Minimums(row), _minimums, row);
            Copy(matrix.ZeroPoints(row), _zeroPoints, row);
        }

        matrix.Codebook.CopyTo(new(_codebook, matrix.Codebook.Length));
        matrix.GroupIndex.CopyTo(new(_groupIndex, matrix.GroupIndex.Length));

        byte* Take(long bytes)
        {
            byte* section = bytes == 0 ? null : next;
            next += bytes;
            return section;
        }
    }

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Bytes of a copy, without the group index and codebook that some matrices have.</summary>
    public static long BytesOf(int rows, int columns, WeightFormat format)
    {
        (long codes, long scales, long minimums, long zeroPoints) = Sections(rows, columns, format);
        return checked(codes + scales + minimums + zeroPoints);
    }

    /// <inheritdoc/>
    public override void ReadRow(int row, float* destination) => Dequantize(row, 0, Columns, destination);

    /// <inheritdoc/>
    public override void Dispose() => _block.Dispose();

    private static (long Codes, long Scales, long Minimums, long ZeroPoints) Sections(int rows, int columns, WeightFormat format)
    {
        long perGroup = checked((long)rows * format.Groups(columns));
        return (
            NativeBlock.Align(checked(rows * format.RowBytes(columns))),
            NativeBlock.Align(checked(perGroup * sizeof(float))),
            format.Offset == GroupOffset.Minimum ? NativeBlock.Align(perGroup * sizeof(float)) : 0,
            format.Offset == GroupOffset.ZeroPoint ? NativeBlock.Align(perGroup) : 0);
    }

    private static void Copy<T>(Span<T> source, T* destination, long row) where T : unmanaged =>
        source.CopyTo(new(destination + (row * source.Length), source.Length));

    private static void CheckGroupIndex(WeightMatrix matrix)
    {
        foreach (int group in matrix.GroupIndex)
        {
            if ((uint)group >= (uint)matrix.Groups)
                throw new InvalidModelException(matrix.Name, null, $"expected group indices 0 … {matrix.Groups - 1}, found {group}");
        }
    }
}
