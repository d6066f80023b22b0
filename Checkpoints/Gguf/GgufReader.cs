using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// Walks the header of a GGUF file. Every length is compared with what is left before it is used, so that a lying
/// file costs nothing; what runs past the end is reported as truncated.
/// </summary>
internal ref struct GgufReader(ReadOnlySpan<byte> bytes, string file)
{
    // Deeper arrays have no use; a reader that recursed without a limit would overflow its stack.
    private const int MaximumDepth = 8;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>The next byte to read.</summary>
    public int Position { get; private set; }

    /// <summary>The metadata key or tensor being read, for errors.</summary>
    public string? Where { get; set; }

    private readonly int Left => _bytes.Length - Position;

    public uint UInt32(string field) => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint), field));

    public ulong UInt64(string field) => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), field));

    /// <summary>A length-prefixed string.</summary>
    public ReadOnlySpan<byte> String(string field)
    {
        ulong length = UInt64(field);
        if (length > (ulong)Left)
            throw Truncated(field, length);
        return Take((int)length, field);
    }

    /// <summary>A number of things that each take at least so many bytes of the file.</summary>
    public int Count(string field, int leastBytes)
    {
        ulong count = UInt64(field);
        if (count > (ulong)(Left / leastBytes))
            throw Error($"truncated, or the count lies: {field} is {count}, which needs at least {leastBytes} bytes each, the file has {Left} left at byte {Position}");
        return (int)count;
    }

    /// <summary>Checks a value and steps over it; what is found is left in the bytes.</summary>
    public void SkipValue(GgufValueType type, int depth = 0)
    {
        switch (type)
        {
            case GgufValueType.String:
                String("string value");
                break;
            case GgufValueType.Array:
                if (depth == MaximumDepth)
                    throw Error($"arrays are nested deeper than {MaximumDepth}");
                GgufValueType element = ValueType("array element type");
                int size = GgufValue.Size(element);
                int count = Count("array length", LeastBytes(element));
                if (element == GgufValueType.Boolean)
                    Booleans(count);
                else if (size > 0)
                    Take(count * size, "array");
                else
                {
                    for (int i = 0; i < count; i++)
                        SkipValue(element, depth + 1);
                }

                break;
            case GgufValueType.Boolean:
                Booleans(1);
                break;
            default:
                Take(GgufValue.Size(type), "value");
                break;
        }
    }

    /// <summary>A value type, checked.</summary>
    public GgufValueType ValueType(string field)
    {
        uint type = UInt32(field);
        return type <= (uint)GgufValueType.Float64 ? (GgufValueType)type : throw Error($"{field} is {type}, expected 0 to {(int)GgufValueType.Float64}");
    }

    /// <summary>An error at what is being read.</summary>
    public readonly InvalidModelException Error(string problem) => new(file, Where, problem);

    private static int LeastBytes(GgufValueType type) => type switch
    {
        GgufValueType.String => sizeof(ulong),
        GgufValueType.Array => sizeof(uint) + sizeof(ulong),
        _ => GgufValue.Size(type),
    };

    private void Booleans(int count)
    {
        int other = Take(count, "bool value").IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (other >= 0)
            throw Error($"a bool is {_bytes[Position - count + other]}, expected 0 or 1");
    }

    private ReadOnlySpan<byte> Take(int count, string field)
    {
        if (count > Left)
            throw Truncated(field, (ulong)count);
        ReadOnlySpan<byte> taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    private readonly InvalidModelException Truncated(string field, ulong needed) =>
        Error($"truncated, or the length lies: {field} needs {needed} bytes at byte {Position}, the file has {Left} left");
}
