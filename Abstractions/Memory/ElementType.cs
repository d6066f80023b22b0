namespace Portable;

/// <summary>The type of one element of a tensor in device memory.</summary>
public enum ElementType : byte
{
    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>IEEE 754 binary16.</summary>
    Float16,

    /// <summary>The upper half of a binary32.</summary>
    BFloat16,

    /// <summary>Signed 32-bit integer: token ids, positions, offsets, page numbers.</summary>
    Int32,

    /// <summary>Signed 8-bit integer.</summary>
    Int8,

    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8,
}

/// <summary>Facts about <see cref="ElementType"/>.</summary>
public static class ElementTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Float32 or ElementType.Int32 => 4,
        ElementType.Float16 or ElementType.BFloat16 => 2,
        _ => 1,
    };

    /// <summary>Whether the type is a floating-point type.</summary>
    public static bool IsFloat(this ElementType type) =>
        type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16;
}
