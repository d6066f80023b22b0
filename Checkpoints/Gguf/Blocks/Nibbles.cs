using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Portable.Checkpoints;

/// <summary>
/// Reorders 4-bit codes: GGUF keeps values that lie half a block apart in one byte, the canonical form keeps
/// neighbours, the even one in the low nibble.
/// </summary>
internal static class Nibbles
{
    /// <summary>The low nibbles of 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Low(Vector128<byte> bytes) => bytes & Vector128.Create((byte)15);

    /// <summary>The high nibbles of 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> High(Vector128<byte> bytes) => (bytes.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15);

    /// <summary>Packs 32 neighbouring codes, one a byte, into 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Pack(Vector128<byte> first, Vector128<byte> second) =>
        Vector128.Narrow(Neighbours(first), Neighbours(second));

    /// <summary>16 bytes at an offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load(ReadOnlySpan<byte> bytes, int offset) => Vector128.Create(bytes.Slice(offset, 16));

    /// <summary>32 codes whose first half lies in the low nibbles of 16 bytes and whose second half lies in the high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Interleave(Vector128<byte> halves) => Pack(Low(halves), High(halves));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Neighbours(Vector128<byte> codes)
    {
        Vector128<ushort> pairs = codes.AsUInt16();
        return (pairs | (pairs >>> 4)) & Vector128.Create((ushort)0xFF);
    }
}
