using System.Buffers.Binary;

namespace Portable.Conformance;

/// <summary>Element types in double precision.</summary>
internal static class Numbers
{
    public static double Round(double value, ElementType type)
    {
        Span<byte> bytes = stackalloc byte[4];
        Set(bytes, type, value);
        return Get(bytes, type);
    }

    public static double Get(ReadOnlySpan<byte> bytes, ElementType type) => type switch
    {
        ElementType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        ElementType.Float16 => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
        ElementType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16),
        ElementType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not used by the suite"),
    };

    public static void Set(Span<byte> bytes, ElementType type, double value)
    {
        switch (type)
        {
            case ElementType.Float32:
                BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)value);
                break;
            case ElementType.Float16:
                BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)value);
                break;
            case ElementType.BFloat16:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, BFloat16((float)value));
                break;
            case ElementType.Int32:
                BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)value);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "not used by the suite");
        }
    }

    private static ushort BFloat16(float value)
    {
        if (float.IsNaN(value))
            return 0x7FFF;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
