using System.Buffers.Binary;

namespace Portable.Vision.Images;

/// <summary>The EXIF orientation, tag 0x0112 of the TIFF structure inside EXIF: 1 to 8, where 1 leaves the image as it is.</summary>
internal static class ExifOrientation
{
    private const ushort OrientationTag = 0x0112;
    private const ushort ShortType = 3;

    /// <summary>Reads the orientation from a TIFF structure; 1 where it is absent, invalid or the structure is broken.</summary>
    public static int Read(ReadOnlySpan<byte> tiff)
    {
        bool little = tiff.StartsWith("II*\0"u8);
        if (tiff.Length < 10 || (!little && !tiff.StartsWith("MM\0*"u8)))
            return 1;
        uint directory = little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory > (uint)tiff.Length - 2)
            return 1;

        // Only the first directory counts, so a chain of directories that loops is never followed.
        ReadOnlySpan<byte> entries = tiff[(int)directory..];
        int count = Short(entries, little);
        entries = entries[2..];
        for (int i = 0; i < count && entries.Length >= 12; i++, entries = entries[12..])
        {
            if (Short(entries, little) != OrientationTag)
                continue;
            int value = Short(entries[2..], little) == ShortType ? Short(entries[8..], little) : 1;
            return value is >= 1 and <= 8 ? value : 1;
        }

        return 1;
    }

    /// <summary>Turns and mirrors an image so that it is upright.</summary>
    public static RgbImage Apply(RgbImage image, int orientation)
    {
        if (orientation is < 2 or > 8)
            return image;
        int width = image.Width, height = image.Height;
        (int outWidth, int outHeight) = orientation >= 5 ? (height, width) : (width, height);

        // Where the first output pixel lies in the source, and the steps to the next one and to the next row, in pixels.
        (int start, int stepX, int stepY) = orientation switch
        {
            2 => (width - 1, -1, width),
            3 => (width * height - 1, -1, -width),
            4 => (width * (height - 1), 1, -width),
            5 => (0, width, 1),
            6 => (width * (height - 1), -width, 1),
            7 => (width * height - 1, -width, -1),
            _ => (width - 1, width, -1),
        };
        byte[] source = image.Data, result = GC.AllocateUninitializedArray<byte>(source.Length);
        for (int y = 0, to = 0; y < outHeight; y++)
        {
            for (int x = 0, from = (start + y * stepY) * 3; x < outWidth; x++, from += stepX * 3, to += 3)
            {
                result[to] = source[from];
                result[to + 1] = source[from + 1];
                result[to + 2] = source[from + 2];
            }
        }

        return new RgbImage(outWidth, outHeight, result);
    }

    private static ushort Short(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
}
