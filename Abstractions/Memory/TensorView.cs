using System.Diagnostics.CodeAnalysis;

namespace Portable;

/// <summary>
/// A matrix inside a <see cref="DeviceBuffer"/>: row-major, rows at a stride. It owns nothing. Activations are
/// [tokens, width]; heads lie side by side in a row, [tokens, heads * head size].
/// </summary>
public readonly record struct TensorView
{
    /// <summary>Creates a view; throws when it would leave the buffer.</summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="offset">Byte offset of element [0, 0]; a multiple of the element size.</param>
    /// <param name="type">The element type.</param>
    /// <param name="rows">Number of rows; may be 0.</param>
    /// <param name="columns">Elements of one row.</param>
    /// <param name="rowStride">Elements from one row to the next, at least <paramref name="columns"/>.</param>
    public TensorView(DeviceBuffer buffer, long offset, ElementType type, int rows, int columns, int rowStride)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        int size = type.Size();
        long elements = rows == 0 ? 0 : ((rows - 1L) * rowStride) + columns;
        if (rows < 0 || columns < 0 || rowStride < columns || offset < 0 || offset % size != 0
            || (elements > 0 && offset + (elements * size) > buffer.Bytes))
            ThrowOutside(buffer, offset, type, rows, columns, rowStride);
        Buffer = buffer;
        Offset = offset;
        Type = type;
        Rows = rows;
        Columns = columns;
        RowStride = rowStride;
    }

    /// <summary>The memory.</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Byte offset of element [0, 0].</summary>
    public long Offset { get; }

    /// <summary>The element type.</summary>
    public ElementType Type { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Elements of one row.</summary>
    public int Columns { get; }

    /// <summary>Elements from one row to the next.</summary>
    public int RowStride { get; }

    /// <summary>Whether the rows follow each other without gaps.</summary>
    public bool IsContiguous => RowStride == Columns || Rows <= 1;

    /// <summary>Number of elements.</summary>
    public long Length => (long)Rows * Columns;

    /// <summary>Some of the rows.</summary>
    public TensorView SliceRows(int first, int count) =>
        new(Buffer, Offset + ((long)first * RowStride * Type.Size()), Type, count, Columns, RowStride);

    /// <summary>Some of the columns of every row.</summary>
    public TensorView SliceColumns(int first, int count)
    {
        if (first < 0 || count < 0 || first + count > Columns)
            throw new ArgumentOutOfRangeException(nameof(first), $"columns {first}..{first + count} of {Columns}");
        return new(Buffer, Offset + ((long)first * Type.Size()), Type, Rows, count, RowStride);
    }

    /// <summary>The same contiguous elements in another shape of the same length.</summary>
    public TensorView Reshape(int rows, int columns)
    {
        if (!IsContiguous || (long)rows * columns != Length)
            throw new ArgumentException($"[{Rows}, {Columns}] with stride {RowStride} cannot become [{rows}, {columns}]");
        return new(Buffer, Offset, Type, rows, columns, columns);
    }

    [DoesNotReturn]
    private static void ThrowOutside(DeviceBuffer buffer, long offset, ElementType type, int rows, int columns, int stride) =>
        throw new ArgumentException(
            $"a view [{rows}, {columns}] of {type} with row stride {stride} at byte {offset} does not fit a buffer of {buffer.Bytes} bytes");
}
