using System.Runtime.InteropServices;

namespace Portable.Testing.Foreign;

/// <summary>A view opened by an operator that runs. Floats are read as float32 and rounded to the view's type when written.</summary>
internal readonly struct ForeignTensor(Memory<byte> memory, TensorView view)
{
    internal int Rows => view.Rows;

    internal int Columns => view.Columns;

    internal ElementType Type => view.Type;

    internal Span<byte> Bytes(int row)
    {
        int size = view.Type.Size();
        return memory.Span.Slice(checked((int)(view.Offset + ((long)row * view.RowStride * size))), view.Columns * size);
    }

    internal int Int(int row, int column) => MemoryMarshal.Cast<byte, int>(Bytes(row))[column];

    internal void SetInt(int row, int column, int value) => MemoryMarshal.Cast<byte, int>(Bytes(row))[column] = value;

    internal float[] Row(int row)
    {
        float[] values = new float[Columns];
        Read(row, values);
        return values;
    }

    internal void Read(int row, Span<float> values)
    {
        Span<byte> bytes = Bytes(row);
        for (int c = 0; c < view.Columns; c++)
            values[c] = Get(bytes, c);
    }

    internal void Write(int row, ReadOnlySpan<float> values)
    {
        Span<byte> bytes = Bytes(row);
        for (int c = 0; c < view.Columns; c++)
            Set(bytes, c, values[c]);
    }

    internal float Get(int row, int column) => Get(Bytes(row), column);

    internal void Set(int row, int column, float value) => Set(Bytes(row), column, value);

    private float Get(Span<byte> bytes, int column) => view.Type switch
    {
        ElementType.Float32 => MemoryMarshal.Cast<byte, float>(bytes)[column],
        ElementType.Float16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[column],
        ElementType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(bytes)[column] << 16),
        _ => throw new InvalidOperationException($"{view.Type} is not a float type"),
    };

    private void Set(Span<byte> bytes, int column, float value)
    {
        switch (view.Type)
        {
            case ElementType.Float32:
                MemoryMarshal.Cast<byte, float>(bytes)[column] = value;
                break;
            case ElementType.Float16:
                MemoryMarshal.Cast<byte, Half>(bytes)[column] = (Half)value;
                break;
            case ElementType.BFloat16:
                MemoryMarshal.Cast<byte, ushort>(bytes)[column] = ToBFloat16(value);
                break;
            default:
                throw new InvalidOperationException($"{view.Type} is not a float type");
        }
    }

    // Round to nearest, ties to even; a NaN stays one.
    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
