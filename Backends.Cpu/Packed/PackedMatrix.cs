namespace Portable.Backends.Cpu;

/// <summary>
/// A 4-bit or 8-bit matrix in panels (<see cref="PanelShape"/>) for <see cref="PackedProduct"/>. Codes are kept exactly.
/// Scales and offsets are rounded once, half to even, to binary16 times one power of two of the matrix that brings the
/// largest of them into [2^14, 2^15): a relative error of at most 2^-11 each, exact where the checkpoint holds binary16
/// values (above 2^-28 of the largest). The offset of a zero point is -(scale * zero), so its error moves a group of
/// 4-bit weights by at most 15 * 2^-11 = 0.0073 of a quantisation step; a zero point that all groups share is exact.
/// Immutable; reading is thread-safe; the memory is native and freed by <see cref="Dispose"/>.
/// </summary>
internal sealed unsafe partial class PackedMatrix : IDisposable
{
    private readonly NativeBlock _memory;

    private PackedMatrix(int rows, int columns, PanelShape shape, int scaleExponent)
        : this(rows, columns, shape, scaleExponent, new NativeBlock(PanelBytes(rows, shape)))
    {
    }

    /// <summary>A matrix over panels that exist already; takes the memory, which must have <see cref="PanelBytes"/>.</summary>
    public PackedMatrix(int rows, int columns, PanelShape shape, int scaleExponent, NativeBlock memory)
    {
        Rows = rows;
        Columns = columns;
        Shape = shape;
        ScaleExponent = scaleExponent;
        PanelCount = PanelsOf(rows);
        _memory = memory;
    }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Native memory taken.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>The layout of every panel.</summary>
    public PanelShape Shape { get; }

    /// <summary>Panels of 32 outputs.</summary>
    public int PanelCount { get; }

    /// <summary>Stored scales and offsets are to be multiplied by 2 to this power.</summary>
    public int ScaleExponent { get; }

    /// <summary>The memory of all panels, for a file.</summary>
    public NativeBlock Memory => _memory;

    /// <summary>The panels, one after another.</summary>
    public byte* Panels => _memory.Data;

    /// <summary>
    /// Whether matrices of this format can be packed: 4-bit and 8-bit integer codes, groups of a multiple of 32 columns
    /// or of a whole row; also signed 8-bit codes in groups of 16 without offset. 4-bit codebooks count as signed 8-bit
    /// codes, which <see cref="IntegerCodebook"/> makes of them where it can.
    /// </summary>
    public static bool CanPack(WeightFormat format, int columns)
    {
        bool wholeBlocks = format.GroupSize > 0 && (format.GroupSize % PanelShape.BlockInputs == 0 || format.GroupSize >= columns);
        return format.Encoding switch
        {
            WeightEncoding.UInt4 or WeightEncoding.UInt8 => wholeBlocks,
            WeightEncoding.Int8 => wholeBlocks || IsHalves(format, columns),
            WeightEncoding.Codebook4 => format.Offset == GroupOffset.None && (wholeBlocks || IsHalves(format, columns)),
            _ => false,
        };
    }

    /// <summary>Whether this matrix can be packed: its format can, its groups are neighbouring columns, its codebook is of integers.</summary>
    public static bool CanPack(WeightMatrix matrix) =>
        CanPack(matrix.Format, matrix.Columns) && matrix.GroupIndex.IsEmpty
        && (matrix.Format.Encoding != WeightEncoding.Codebook4 || IntegerCodebook(matrix.Codebook, out _) is not null);

    /// <summary>
    /// The most memory that <see cref="Pack"/> takes for such a matrix. A matrix whose groups share one zero point takes
    /// less, which only its values tell.
    /// </summary>
    public static long PackedBytes(int rows, int columns, WeightFormat format) =>
        checked(PanelsOf(rows) * new PanelShape(WidestForm(format, columns), columns, format.GroupSize, 0).PanelBytes);

    /// <summary>Bytes of all panels of a matrix.</summary>
    public static long PanelBytes(int rows, PanelShape shape) => checked(PanelsOf(rows) * shape.PanelBytes);

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private static int PanelsOf(int rows) => (int)(((long)rows + PanelShape.Outputs - 1) / PanelShape.Outputs);

    private static bool IsHalves(WeightFormat format, int columns) =>
        format is { Encoding: WeightEncoding.Int8 or WeightEncoding.Codebook4, GroupSize: 16, Offset: GroupOffset.None } && columns > 16;

    /// <summary>
    /// The codebook as signed bytes, which are its values times 2^shift: the codebooks of IQ types and of 4-bit floats. Null
    /// for one that is no such multiple of integers, as NF4's.
    /// </summary>
    internal static sbyte[]? IntegerCodebook(ReadOnlySpan<float> codebook, out int shift)
    {
        for (shift = 0; shift < 4; shift++)
        {
            var integers = new sbyte[codebook.Length];
            int i = 0;
            for (; i < integers.Length; i++)
            {
                float value = codebook[i] * (1 << shift);
                if (!(Math.Abs(value) <= 127) || value != MathF.Truncate(value))
                    break;
                integers[i] = (sbyte)value;
            }

            if (i == integers.Length)
                return integers;
        }

        return null;
    }

    private static PackedForm WidestForm(WeightFormat format, int columns)
    {
        if (format.Encoding == WeightEncoding.UInt4)
            return format.Offset == GroupOffset.None ? PackedForm.Uniform4 : PackedForm.Affine4;
        if (IsHalves(format, columns))
            return PackedForm.Halves8;
        return format is { Encoding: WeightEncoding.Int8 or WeightEncoding.Codebook4, Offset: GroupOffset.None } ? PackedForm.Symmetric8 : PackedForm.Affine8;
    }
}
