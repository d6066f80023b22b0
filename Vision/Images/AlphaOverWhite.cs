namespace Portable.Vision.Images;

/// <summary>Compositing over opaque white with the integer arithmetic of Pillow's <c>alpha_composite</c>.</summary>
internal static class AlphaOverWhite
{
    /// <summary>One colour sample over white.</summary>
    public static byte Blend(byte colour, byte alpha)
    {
        int sum = (colour * alpha + 255 * (255 - alpha) + 128) << 7;
        return (byte)((((sum >> 8) + sum) >> 8) >> 7);
    }

    /// <summary>Turns RGBA pixels into RGB: over white, or with alpha dropped.</summary>
    public static void ToRgb(ReadOnlySpan<byte> rgba, Span<byte> rgb, AlphaHandling handling)
    {
        for (int from = 0, to = 0; to < rgb.Length; from += 4, to += 3)
        {
            byte alpha = handling == AlphaHandling.Drop ? (byte)255 : rgba[from + 3];
            if (alpha == 255)
                rgba.Slice(from, 3).CopyTo(rgb[to..]);
            else
            {
                rgb[to] = Blend(rgba[from], alpha);
                rgb[to + 1] = Blend(rgba[from + 1], alpha);
                rgb[to + 2] = Blend(rgba[from + 2], alpha);
            }
        }
    }
}
