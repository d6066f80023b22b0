using System.Buffers.Binary;

namespace Portable.Vision.Images;

internal ref partial struct PngReader
{
    private readonly RowExpander CreateExpander()
    {
        bool blend = _file.Options.Alpha == AlphaHandling.OverWhite;
        byte[]? colours = null;
        ushort[]? key = null;
        if (_type == ColourType.Palette)
        {
            colours = PaletteColours(blend);
        }
        else if (_type == ColourType.Grey && _depth <= 8)
        {
            colours = GreyColours(blend);
        }
        else if (_type == ColourType.Rgb && blend && _hasTransparency)
        {
            if (_transparency.Length < 6)
                throw _file.Broken($"the transparent colour of the PNG is {_transparency.Length} bytes, not 6");
            key = [
                BinaryPrimitives.ReadUInt16BigEndian(_transparency),
                BinaryPrimitives.ReadUInt16BigEndian(_transparency[2..]),
                BinaryPrimitives.ReadUInt16BigEndian(_transparency[4..])];
        }

        return new RowExpander(_type, _depth, blend, colours, key);
    }

    // Indices beyond the palette are black, as a viewer shows them.
    private readonly byte[] PaletteColours(bool blend)
    {
        byte[] colours = new byte[256 * 3];
        _palette.CopyTo(colours);
        for (int i = 0; blend && _hasTransparency && i < Math.Min(_transparency.Length, 256); i++)
        {
            foreach (ref byte sample in colours.AsSpan(i * 3, 3))
                sample = AlphaOverWhite.Blend(sample, _transparency[i]);
        }

        return colours;
    }

    private readonly byte[] GreyColours(bool blend)
    {
        int most = (1 << _depth) - 1;
        byte[] colours = new byte[256 * 3];
        for (int i = 0; i <= most; i++)
            colours.AsSpan(i * 3, 3).Fill((byte)(i * 255 / most));
        if (blend && _hasTransparency)
        {
            if (_transparency.Length < 2)
                throw _file.Broken($"the transparent grey of the PNG is {_transparency.Length} bytes, not 2");
            int transparent = BinaryPrimitives.ReadUInt16BigEndian(_transparency);
            if (transparent <= most)
                colours.AsSpan(transparent * 3, 3).Fill(255);
        }

        return colours;
    }

    /// <summary>Turns a row of samples as the file holds them into RGB.</summary>
    private readonly struct RowExpander(ColourType type, int depth, bool blend, byte[]? colours, ushort[]? key)
    {
        public void Expand(ReadOnlySpan<byte> row, Span<byte> rgb)
        {
            if (colours is not null)
                ExpandIndices(row, rgb, colours);
            else if (type == ColourType.Grey)
                ExpandGrey16(row, rgb);
            else if (type == ColourType.Rgb)
                ExpandRgb(row, rgb);
            else
                ExpandWithAlpha(row, rgb, colourSamples: type == ColourType.Rgba ? 3 : 1);
        }

        private void ExpandIndices(ReadOnlySpan<byte> row, Span<byte> rgb, byte[] colours)
        {
            int perByte = 8 / depth, mask = (1 << depth) - 1;
            for (int x = 0, to = 0; to < rgb.Length; x++, to += 3)
            {
                int shift = 8 - depth * (x % perByte + 1);
                int index = (row[x / perByte] >> shift) & mask;
                colours.AsSpan(index * 3, 3).CopyTo(rgb[to..]);
            }
        }

        // Pillow keeps 16-bit grey whole and saturates it on the way to 8 bits; a transparent grey is ignored there.
        private static void ExpandGrey16(ReadOnlySpan<byte> row, Span<byte> rgb)
        {
            for (int from = 0, to = 0; to < rgb.Length; from += 2, to += 3)
                rgb.Slice(to, 3).Fill(row[from] == 0 ? row[from + 1] : (byte)255);
        }

        private void ExpandRgb(ReadOnlySpan<byte> row, Span<byte> rgb)
        {
            int size = depth / 8;
            if (size == 1)
            {
                row[..rgb.Length].CopyTo(rgb);
            }
            else
            {
                for (int i = 0; i < rgb.Length; i++)
                    rgb[i] = row[i * 2];
            }

            if (key is null)
                return;
            for (int i = 0; i < rgb.Length; i += 3)
            {
                if (Sample(row, i, size) == key[0] && Sample(row, i + 1, size) == key[1] && Sample(row, i + 2, size) == key[2])
                    rgb.Slice(i, 3).Fill(255);
            }
        }

        private static int Sample(ReadOnlySpan<byte> row, int index, int size) =>
            size == 1 ? row[index] : BinaryPrimitives.ReadUInt16BigEndian(row[(index * 2)..]);

        // Of 16-bit samples the high byte counts.
        private void ExpandWithAlpha(ReadOnlySpan<byte> row, Span<byte> rgb, int colourSamples)
        {
            int size = depth / 8, pixel = (colourSamples + 1) * size, step = colourSamples == 3 ? size : 0;
            for (int from = 0, to = 0; to < rgb.Length; from += pixel, to += 3)
            {
                byte alpha = blend ? row[from + colourSamples * size] : (byte)255;
                for (int c = 0; c < 3; c++)
                    rgb[to + c] = AlphaOverWhite.Blend(row[from + c * step], alpha);
            }
        }
    }
}
