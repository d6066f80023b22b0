using System.Diagnostics;

namespace Portable.Backends.Cpu;

/// <summary>Casts of a row between float types, rounding to nearest even.</summary>
internal static unsafe class ScalarCast
{
    /// <summary>output = source in another type.</summary>
    public static void Run(byte* source, ElementType sourceType, byte* output, ElementType outputType, int length)
    {
        Debug.Assert(sourceType.IsFloat() && outputType.IsFloat());
        for (int i = 0; i < length; i++)
            Store(output, outputType, i, Load(source, sourceType, i));
    }

    /// <summary>One element as float32.</summary>
    public static float Load(byte* source, ElementType type, int index) => type switch
    {
        ElementType.Float32 => ((float*)source)[index],
        ElementType.Float16 => (float)((Half*)source)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)((ushort*)source)[index] << 16),
    };

    /// <summary>Stores a float32 as an element.</summary>
    public static void Store(byte* output, ElementType type, int index, float value)
    {
        switch (type)
        {
            case ElementType.Float32:
                ((float*)output)[index] = value;
                break;
            case ElementType.Float16:
                ((Half*)output)[index] = (Half)value;
                break;
            default:
                ((ushort*)output)[index] = ToBFloat16(value);
                break;
        }
    }

    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        // A NaN whose payload lies in the lower half would round to infinity.
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
