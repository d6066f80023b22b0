using System.Buffers.Binary;

namespace Portable.Vision.Images;

/// <summary>
/// Reads the first frame of a GIF (87a, 89a) with the values that Pillow gives: the canvas is the screen, grown to hold
/// the frame; around a smaller frame it has the transparent colour, else colour 0.
/// </summary>
internal ref struct GifReader
{
    private readonly ImageFile _file;
    private ReadOnlySpan<byte> _rest;
    private ReadOnlySpan<byte> _palette;
    private int _transparent = -1;

    private GifReader(in ImageFile file)
    {
        _file = file;
        _rest = file.Span;
    }

    /// <summary>Decodes a file that starts with "GIF87a" or "GIF89a".</summary>
    public static RgbImage Read(in ImageFile file)
    {
        var reader = new GifReader(file);
        return reader.Read();
    }

    private RgbImage Read()
    {
        ReadOnlySpan<byte> screen = Take(13, "the GIF header");
        int width = BinaryPrimitives.ReadUInt16LittleEndian(screen[6..]), height = BinaryPrimitives.ReadUInt16LittleEndian(screen[8..]);
        if ((screen[10] & 0x80) != 0)
            _palette = Take(3 << ((screen[10] & 7) + 1), "the GIF's palette");
        while (true)
        {
            switch (Take(1, "the GIF's list of blocks")[0])
            {
                case 0x21:
                    ReadExtension();
                    break;
                case 0x2C:
                    return ReadFrame(width, height);
                case 0x3B:
                    throw _file.Broken("the GIF has no image");
                default:
                    throw _file.Broken("the GIF has a block of unknown kind");
            }
        }
    }

    private void ReadExtension()
    {
        byte label = Take(1, "a GIF extension")[0];
        for (bool first = true; ; first = false)
        {
            byte length = Take(1, "a GIF extension")[0];
            if (length == 0)
                return;
            ReadOnlySpan<byte> block = Take(length, "a GIF extension");
            if (label == 0xF9 && first && length >= 4)
                _transparent = (block[0] & 1) != 0 ? block[3] : -1;
        }
    }

    private RgbImage ReadFrame(int screenWidth, int screenHeight)
    {
        ReadOnlySpan<byte> frame = Take(9, "the GIF's image header");
        int left = BinaryPrimitives.ReadUInt16LittleEndian(frame), top = BinaryPrimitives.ReadUInt16LittleEndian(frame[2..]);
        int width = BinaryPrimitives.ReadUInt16LittleEndian(frame[4..]), height = BinaryPrimitives.ReadUInt16LittleEndian(frame[6..]);
        bool interlaced = (frame[8] & 0x40) != 0;
        if (width == 0 || height == 0)
            throw _file.Broken($"the GIF's image is {width} x {height} pixels");
        int canvasWidth = Math.Max(screenWidth, left + width), canvasHeight = Math.Max(screenHeight, top + height);
        _file.CheckSize(canvasWidth, canvasHeight, bytesPerPixel: 4);
        if ((frame[8] & 0x80) != 0)
            _palette = Take(3 << ((frame[8] & 7) + 1), "the GIF's palette");
        int codeBits = Take(1, "the GIF's image data")[0];
        if (codeBits is < 1 or > 8)
            throw _file.Broken($"the GIF's codes start at {codeBits} bits");

        byte[] colours = Colours();
        byte[] pixels = GC.AllocateUninitializedArray<byte>(canvasWidth * canvasHeight * 3);
        if (width != canvasWidth || height != canvasHeight)
        {
            ReadOnlySpan<byte> ground = colours.AsSpan(Math.Max(0, _transparent) * 3, 3);
            for (int i = 0; i < pixels.Length; i += 3)
                ground.CopyTo(pixels.AsSpan(i));
        }

        byte[] indices = GC.AllocateUninitializedArray<byte>(width * height);
        GifLzw.Decode(_file, _rest, codeBits, indices);
        int from = 0;
        foreach ((int start, int step) in interlaced ? Interlaced : Straight)
        {
            for (int y = start; y < height; y += step)
            {
                Span<byte> to = pixels.AsSpan(((top + y) * canvasWidth + left) * 3, width * 3);
                for (int x = 0; x < to.Length; x += 3)
                    colours.AsSpan(indices[from++] * 3, 3).CopyTo(to[x..]);
            }
        }

        return new RgbImage(canvasWidth, canvasHeight, pixels);
    }

    private static ReadOnlySpan<(int Start, int Step)> Straight => new[] { (0, 1) };

    private static ReadOnlySpan<(int Start, int Step)> Interlaced => new[] { (0, 8), (4, 8), (2, 4), (1, 2) };

    // Without a palette the indices are grey values.
    private readonly byte[] Colours()
    {
        byte[] colours = new byte[256 * 3];
        if (_palette.IsEmpty)
        {
            for (int i = 0; i < 256; i++)
                colours.AsSpan(i * 3, 3).Fill((byte)i);
        }

        _palette.CopyTo(colours);
        if (_transparent >= 0 && _file.Options.Alpha == AlphaHandling.OverWhite)
            colours.AsSpan(_transparent * 3, 3).Fill(255);
        return colours;
    }

    private ReadOnlySpan<byte> Take(int length, string what)
    {
        if (length > _rest.Length)
            throw _file.Truncated(what);
        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
