namespace Portable.Backends.Cpu;

/// <summary>
/// A copy of a canonical matrix, code for code: the layout of the reference mode, and of plain floats in both modes.
/// Rows are evaluated to float32 in blocks and multiplied there.
/// </summary>
internal sealed unsafe partial class CanonicalMatrix : CpuMatrix
{
    private readonly NativeBlock _block;
    private readonly CanonicalRows _rows;

    /// <summary>Copies the matrix. Throws <see cref="InvalidModelException"/> for a group index outside the groups.</summary>
    public CanonicalMatrix(WeightMatrix matrix) : base(matrix.Rows, matrix.Columns)
    {
        CheckGroupIndex(matrix);
        (long codes, long scales, long minimums, long zeroPoints) = Sections(Rows, Columns, matrix.Format);
        long codebook = NativeBlock.Align(matrix.Codebook.Length * sizeof(float));
        _block = new NativeBlock(codes + scales + minimums + zeroPoints + codebook + (matrix.GroupIndex.Length * sizeof(int)));
        byte* next = _block.Data;
        _rows = new CanonicalRows
        {
            Format = matrix.Format,
            Columns = Columns,
            Groups = matrix.Groups,
            RowBytes = matrix.Format.RowBytes(Columns),
            Codes = Take(codes),
            Scales = (float*)Take(scales),
            Minimums = (float*)Take(minimums),
            ZeroPoints = Take(zeroPoints),
            Codebook = (float*)Take(codebook),
            GroupIndex = (int*)Take(matrix.GroupIndex.Length * sizeof(int)),
        };
        for (int row = 0; row < Rows; row++)
        {
            matrix.Codes(row).CopyTo(new(_rows.Codes + (row * _rows.RowBytes), (int)_rows.RowBytes));
            Copy(matrix.Scales(row), _rows.Scales, row);
            Copy(matrix.Minimums(row), _rows.Minimums, row);
            Copy(matrix.ZeroPoints(row), _rows.ZeroPoints, row);
        }

        matrix.Codebook.CopyTo(new(_rows.Codebook, matrix.Codebook.Length));
        matrix.GroupIndex.CopyTo(new(_rows.GroupIndex, matrix.GroupIndex.Length));

        byte* Take(long bytes)
        {
            byte* section = bytes == 0 ? null : next;
            next += bytes;
            return section;
        }
    }

    /// <summary>Bytes of a copy, without the group index and codebook that some matrices have.</summary>
    public static long BytesOf(int rows, int columns, WeightFormat format)
    {
        (long codes, long scales, long minimums, long zeroPoints) = Sections(rows, columns, format);
        return checked(codes + scales + minimums + zeroPoints);
    }

    /// <inheritdoc/>
    public override void ReadRow(int row, float* destination) => DequantizeKernel.Run(_rows, row, 0, Columns, destination);

    /// <inheritdoc/>
    public override void Multiply(FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace) =>
        CanonicalProduct.Run(_rows, x, y, bias, accumulate, pool, workspace);

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
