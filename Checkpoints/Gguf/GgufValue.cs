using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Portable.Checkpoints;

/// <summary>One metadata value, a view of the metadata's bytes; checked when the file was opened.</summary>
public readonly struct GgufValue
{
    private const int ShownItems = 8;
    private const int ShownCharacters = 200;
    private readonly ReadOnlyMemory<byte> _bytes;

    // The bytes of a string without its length, of an array without its element type and count.
    private GgufValue(GgufValueType type, ReadOnlyMemory<byte> bytes, GgufValueType elementType, int count)
    {
        Type = type;
        _bytes = bytes;
        ElementType = elementType;
        Count = count;
    }

    /// <summary>The type of the value.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's elements; for other values their own type.</summary>
    public GgufValueType ElementType { get; }

    /// <summary>Number of an array's elements; 1 for other values.</summary>
    public int Count { get; }

    /// <summary>An array's elements, one by one; the value itself where it is none.</summary>
    public IEnumerable<GgufValue> Items
    {
        get
        {
            if (Type != GgufValueType.Array)
            {
                yield return this;
                yield break;
            }

            int position = 0;
            for (int i = 0; i < Count; i++)
            {
                GgufValue item = Read(ElementType, _bytes[position..], out int length);
                position += length;
                yield return item;
            }
        }
    }

    /// <summary>The bytes of a string, or the little-endian bytes of a number; of an array all its elements as stored.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>A short form for people: long texts and arrays are cut.</summary>
    public override string ToString()
    {
        switch (Type)
        {
            case GgufValueType.Array:
                string items = string.Join(", ", Items.Take(ShownItems).Select(static item => item.ToString()));
                return Count > ShownItems ? $"[{items}, … {Count} in all]" : $"[{items}]";
            case GgufValueType.String:
                string text = Text();
                return text.Length <= ShownCharacters ? text : string.Concat(text.AsSpan(0, ShownCharacters - 1), "…");
            case GgufValueType.Boolean:
                return _bytes.Span[0] == 0 ? "false" : "true";
            case GgufValueType.Float32:
                return BinaryPrimitives.ReadSingleLittleEndian(_bytes.Span).ToString(CultureInfo.InvariantCulture);
            case GgufValueType.Float64:
                return BinaryPrimitives.ReadDoubleLittleEndian(_bytes.Span).ToString(CultureInfo.InvariantCulture);
            default:
                return Integer().ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Bytes of a value of fixed size; 0 for strings and arrays.</summary>
    internal static int Size(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Boolean => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    /// <summary>Reads a value that <see cref="GgufReader.SkipValue"/> has checked.</summary>
    internal static GgufValue Read(GgufValueType type, ReadOnlyMemory<byte> bytes, out int length)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        switch (type)
        {
            case GgufValueType.String:
                int characters = (int)BinaryPrimitives.ReadUInt64LittleEndian(span);
                length = sizeof(ulong) + characters;
                return new GgufValue(type, bytes.Slice(sizeof(ulong), characters), type, 1);
            case GgufValueType.Array:
                const int Head = sizeof(uint) + sizeof(ulong);
                var element = (GgufValueType)BinaryPrimitives.ReadUInt32LittleEndian(span);
                int count = (int)BinaryPrimitives.ReadUInt64LittleEndian(span[sizeof(uint)..]);
                int size = Size(element), data = count * size;
                for (int i = 0; size == 0 && i < count; i++)
                {
                    Read(element, bytes[(Head + data)..], out int item);
                    data += item;
                }

                length = Head + data;
                return new GgufValue(type, bytes.Slice(Head, data), element, count);
            default:
                length = Size(type);
                return new GgufValue(type, bytes[..length], type, 1);
        }
    }

    /// <summary>Whether the type is an integer.</summary>
    internal static bool IsInteger(GgufValueType type) => Size(type) > 0 && !IsFloat(type) && type != GgufValueType.Boolean;

    /// <summary>Whether the type is a floating-point number.</summary>
    internal static bool IsFloat(GgufValueType type) => type is GgufValueType.Float32 or GgufValueType.Float64;

    /// <summary>An integer of any type.</summary>
    internal Int128 Integer() => Integer(Type, _bytes.Span);

    /// <summary>A number of any type but bool.</summary>
    internal double Number() => Number(Type, _bytes.Span);

    /// <summary>A string as text; what is not valid UTF-8 becomes the replacement character.</summary>
    internal string Text() => Encoding.UTF8.GetString(_bytes.Span);

    /// <summary>The elements of an array of numbers, each of which must fit an int; false where one does not.</summary>
    internal bool TryIntegers(int[] destination)
    {
        ReadOnlySpan<byte> span = _bytes.Span;
        if (ElementType is GgufValueType.Int32)
        {
            MemoryMarshal.Cast<byte, int>(span).CopyTo(destination);
            return true;
        }

        int size = Size(ElementType);
        for (int i = 0; i < Count; i++)
        {
            Int128 value = Integer(ElementType, span[(i * size)..]);
            if (value < int.MinValue || value > int.MaxValue)
                return false;
            destination[i] = (int)value;
        }

        return true;
    }

    /// <summary>The elements of an array of numbers.</summary>
    internal void Numbers(float[] destination)
    {
        int size = Size(ElementType);
        for (int i = 0; i < Count; i++)
            destination[i] = (float)Number(ElementType, _bytes.Span[(i * size)..]);
    }

    private static Int128 Integer(GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.UInt8 => bytes[0],
        GgufValueType.Int8 => (sbyte)bytes[0],
        GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        _ => BinaryPrimitives.ReadInt64LittleEndian(bytes),
    };

    private static double Number(GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
        _ => (double)Integer(type, bytes),
    };
}
