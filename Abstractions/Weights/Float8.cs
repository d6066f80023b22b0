namespace Portable;

/// <summary>8-bit floating-point formats of the Open Compute Project (OFP8, revision 1.0).</summary>
public static class Float8
{
    /// <summary>E4M3: bias 7, largest 448, no infinities, NaN is 0x7F and 0xFF.</summary>
    public static float FromE4M3(byte bits)
    {
        int exponent = (bits >> 3) & 15, mantissa = bits & 7;
        if (exponent == 15 && mantissa == 7)
            return float.NaN;
        float magnitude = exponent == 0
            ? mantissa * (1f / 512)
            : BitConverter.UInt32BitsToSingle((uint)((exponent + 120) << 23 | mantissa << 20));
        return (bits & 0x80) == 0 ? magnitude : -magnitude;
    }
}
