using System.Buffers.Binary;

namespace Portable.Benchmarks.Images;

/// <summary>A picture of random pixels as a BMP file.</summary>
internal static class NoisePicture
{
    /// <summary>Makes it; the side is a multiple of 4, so that rows need no filling.</summary>
    public static byte[] Bmp(int side, int seed)
    {
        const int Header = 54;
        byte[] file = new byte[Header + (3 * side * side)];
        new Random(seed).NextBytes(file.AsSpan(Header));
        "BM"u8.CopyTo(file);
        Write(2, file.Length);
        Write(10, Header);
        Write(14, 40);
        Write(18, side);
        Write(22, side);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(26), 1);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(28), 24);
        Write(34, 3 * side * side);
        return file;

        void Write(int offset, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(offset), value);
    }
}
