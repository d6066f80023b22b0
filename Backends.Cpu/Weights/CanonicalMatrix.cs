namespace Portable.Backends.Cpu;

/// <summary>
/// A copy of a canonical matrix, code for code: the layout of the reference mode, and of plain floats in both modes.
/// Rows are evaluated to float32 in blocks and multiplied there.
/// </summary>
internal sealed unsafe partial class CanonicalMatrix : CpuMatrix
{
    private readonly NativeBlock _block;
    private readonly CanonicalRows _rows;

    /// <summary>A matrix over a block that lies as a copy does; takes the block, of <see cref="BlockBytes"/>, and trusts its content.</summary>
    public CanonicalMatrix(int rows, int columns, WeightFormat format, bool hasGroupIndex, NativeBlock block) : base(rows, columns)
    {
        (long codes, long scales, long minimums, long zeroPoints) = Sections(rows, columns, format);
        _block = block;
        byte* next = block.Data;
        _rows = new CanonicalRows
        {
            Format = format,
            Columns = columns,
            Groups = format.Groups(columns),
            RowBytes = format.RowBytes(columns),
            Codes = Take(codes),
            Scales = (float*)Take(scales),
            Minimums = (float*)Take(minimums),
            ZeroPoints = Take(zeroPoints),
            Codebook = (float*)Take(CodebookBytes(format)),
            GroupIndex = (int*)Take(hasGroupIndex ? columns * (long)sizeof(int) : 0),
        };

        byte* Take(long bytes)
        {
            byte* section = bytes == 0 ? null : next;
            next += bytes;
            return section;
        }
    }

    /// <summary>Copies the matrix. Throws <see cref="InvalidModelException"/> for a group index outside the groups.</summary>
    public static CanonicalMatrix Copy(WeightMatrix matrix)
    {
        CheckGroupIndex(matrix.Name, null, matrix.GroupIndex, matrix.Groups);
        bool hasGroupIndex = !matrix.GroupIndex.IsEmpty;
        var copy = new CanonicalMatrix(
            matrix.Rows, matrix.Columns, matrix.Format, hasGroupIndex, new NativeBlock(BlockBytes(matrix.Rows, matrix.Columns, matrix.Format, hasGroupIndex)));
        // Images of weights are the same bytes for the same weights, so what fills up sections is zero.
        long written = matrix.Format.IsPlain ? copy.Rows * copy._rows.RowBytes : 0;
        System.Runtime.InteropServices.NativeMemory.Clear(copy._block.Data + written, (nuint)(copy._block.Bytes - written));
        CanonicalRows rows = copy._rows;
        for (int row = 0; row < copy.Rows; row++)
        {
            matrix.Codes(row).CopyTo(new(rows.Codes + (row * rows.RowBytes), (int)rows.RowBytes));
            Copy(matrix.Scales(row), rows.Scales, row);
            Copy(matrix.Minimums(row), rows.Minimums, row);
            Copy(matrix.ZeroPoints(row), rows.ZeroPoints, row);
        }

        matrix.Codebook.CopyTo(new(rows.Codebook, matrix.Codebook.Length));
        matrix.GroupIndex.CopyTo(new(rows.GroupIndex, matrix.GroupIndex.Length));
        return copy;
    }

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format => _rows.Format;

    /// <summary>The group of each column, or empty.</summary>
    public ReadOnlySpan<int> GroupIndex => _rows.GroupIndex is null ? default : new(_rows.GroupIndex, Columns);

    /// <summary>The whole block, for a file.</summary>
    public NativeBlock Block => _block;

    /// <summary>Bytes of the block of a matrix.</summary>
    public static long BlockBytes(int rows, int columns, WeightFormat format, bool hasGroupIndex) =>
        checked(BytesOf(rows, columns, format) + CodebookBytes(format) + (hasGroupIndex ? columns * (long)sizeof(int) : 0));

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

    private static long CodebookBytes(WeightFormat format) => format.Encoding == WeightEncoding.Codebook4 ? 16 * sizeof(float) : 0;

    /// <summary>Requires that every column belongs to a group that exists.</summary>
    public static void CheckGroupIndex(string file, string? name, ReadOnlySpan<int> groupIndex, int groups)
    {
        foreach (int group in groupIndex)
        {
            if ((uint)group >= (uint)groups)
                throw new InvalidModelException(file, name, $"expected group indices 0 … {groups - 1}, found {group}");
        }
    }
}
