namespace Portable.Vision.Images;

/// <summary>Interleaved 8-bit samples, [Height, Width, Channels], without padding.</summary>
internal readonly record struct PixelBuffer(byte[] Data, int Width, int Height, int Channels)
{
    /// <summary>Bytes of one row.</summary>
    public int Stride => Width * Channels;

    /// <summary>Allocates a buffer; its content is undefined.</summary>
    public static PixelBuffer Allocate(int width, int height, int channels)
    {
        long bytes = (long)width * height * channels;
        if (width <= 0 || height <= 0 || bytes > Array.MaxLength)
            throw new InvalidInputException("image", $"{width} x {height} pixels of {channels} channels cannot be held in memory");
        return new PixelBuffer(GC.AllocateUninitializedArray<byte>((int)bytes), width, height, channels);
    }

    /// <summary>One row.</summary>
    public Span<byte> Row(int y) => Data.AsSpan(y * Stride, Stride);
}
