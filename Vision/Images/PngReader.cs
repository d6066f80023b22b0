using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace Portable.Vision.Images;

/// <summary>
/// Reads PNG (ISO/IEC 15948): every colour type, depth and interlacing, with the values that Pillow gives. Colour
/// management chunks are ignored; of an animated PNG the default image is read; text chunks are never inflated.
/// Decoding holds 3 bytes for each pixel and two rows, whatever the file's own depth.
/// </summary>
internal ref partial struct PngReader
{
    private readonly ImageFile _file;
    private int _width;
    private int _height;
    private int _depth;
    private ColourType _type;
    private bool _interlaced;
    private ReadOnlySpan<byte> _palette;
    private ReadOnlySpan<byte> _transparency;
    private ReadOnlySpan<byte> _exif;
    private bool _hasPalette;
    private bool _hasTransparency;
    private byte[]? _data;
    private int _dataLength;

    private PngReader(in ImageFile file) => _file = file;

    private enum ColourType : byte
    {
        Grey = 0,
        Rgb = 2,
        Palette = 3,
        GreyAlpha = 4,
        Rgba = 6,
    }

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Decodes a file that starts with <see cref="Signature"/>.</summary>
    public static (RgbImage Image, int Orientation) Read(in ImageFile file)
    {
        var reader = new PngReader(file);
        try
        {
            reader.ReadChunks();
            RgbImage image = reader.ReadPixels();
            return (image, ExifOrientation.Read(reader._exif));
        }
        finally
        {
            if (reader._data is not null)
                ArrayPool<byte>.Shared.Return(reader._data);
        }
    }

    private readonly int Channels => _type switch
    {
        ColourType.Rgb => 3,
        ColourType.GreyAlpha => 2,
        ColourType.Rgba => 4,
        _ => 1,
    };

    private void ReadChunks()
    {
        ReadOnlySpan<byte> rest = _file.Span[Signature.Length..];
        bool first = true, ended = false;
        while (!ended)
        {
            if (rest.Length < 12)
                throw _file.Truncated("the list of PNG chunks");
            uint length = BinaryPrimitives.ReadUInt32BigEndian(rest);
            if (length > rest.Length - 12)
                throw _file.Broken($"truncated: a PNG chunk states {length} bytes and {rest.Length - 12} are left");
            ReadOnlySpan<byte> type = rest.Slice(4, 4), content = rest.Slice(8, (int)length);
            if (first && !type.SequenceEqual("IHDR"u8))
                throw _file.Broken("the first PNG chunk is not IHDR");

            // The pixel data has a checksum of its own inside; of the rest only what is used here is worth checking.
            if (!type.SequenceEqual("IDAT"u8) && char.IsAsciiLetterUpper((char)type[0])
                && Crc32.Compute(rest.Slice(4, (int)length + 4)) != BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]))
            {
                throw _file.Broken("a PNG chunk has a wrong checksum");
            }

            if (first)
                ReadHeader(content);
            else if (type.SequenceEqual("PLTE"u8))
                ReadPalette(content);
            else if (type.SequenceEqual("tRNS"u8))
                ReadTransparency(content);
            else if (type.SequenceEqual("eXIf"u8))
                _exif = content;
            else if (type.SequenceEqual("IDAT"u8))
                Append(content);
            ended = type.SequenceEqual("IEND"u8);
            first = false;
            rest = rest[(12 + (int)length)..];
        }

        if (_data is null)
            throw _file.Broken("the PNG has no pixel data");
        if (_type == ColourType.Palette && !_hasPalette)
            throw _file.Broken("the PNG has palette colours and no palette");
    }

    private void ReadHeader(ReadOnlySpan<byte> header)
    {
        if (header.Length != 13)
            throw _file.Broken($"the PNG header is {header.Length} bytes, not 13");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(header), height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        _file.CheckSize(width, height, bytesPerPixel: 3);
        (_width, _height, _depth, _type) = ((int)width, (int)height, header[8], (ColourType)header[9]);
        bool sound = _type switch
        {
            ColourType.Grey => _depth is 1 or 2 or 4 or 8 or 16,
            ColourType.Palette => _depth is 1 or 2 or 4 or 8,
            ColourType.Rgb or ColourType.GreyAlpha or ColourType.Rgba => _depth is 8 or 16,
            _ => false,
        };
        if (!sound)
            throw _file.Broken($"PNG has no colour type {header[9]} of {header[8]} bits");
        if (header[10] != 0 || header[11] != 0 || header[12] > 1)
            throw _file.Broken("the PNG header names an unknown compression, filter or interlace method");
        _interlaced = header[12] == 1;
    }

    private void ReadPalette(ReadOnlySpan<byte> content)
    {
        if (content.Length % 3 != 0 || content.Length > 768)
            throw _file.Broken($"the PNG palette is {content.Length} bytes");
        _palette = content;
        _hasPalette = true;
    }

    private void ReadTransparency(ReadOnlySpan<byte> content)
    {
        _transparency = content;
        _hasTransparency = true;
    }

    private void Append(ReadOnlySpan<byte> content)
    {
        // All parts together are shorter than the file.
        _data ??= ArrayPool<byte>.Shared.Rent(_file.Span.Length);
        content.CopyTo(_data.AsSpan(_dataLength));
        _dataLength += content.Length;
    }

    private RgbImage ReadPixels()
    {
        byte[] pixels = GC.AllocateUninitializedArray<byte>(_width * _height * 3);
        RowExpander expander = CreateExpander();
        int longest = RowBytes(_width);
        byte[] current = new byte[longest], previous = new byte[longest];
        using var stream = new ZLibStream(new MemoryStream(_data!, 0, _dataLength, writable: false), CompressionMode.Decompress);
        if (!_interlaced)
        {
            for (int y = 0; y < _height; y++)
            {
                ReadRow(stream, current, previous);
                expander.Expand(current, pixels.AsSpan(y * _width * 3, _width * 3));
                (current, previous) = (previous, current);
            }
        }
        else
        {
            byte[] row = new byte[_width * 3];
            foreach ((int left, int top, int stepX, int stepY) in Adam7)
            {
                int columns = (_width - left + stepX - 1) / stepX;
                if (columns <= 0)
                    continue;
                previous.AsSpan().Clear();
                for (int y = top; y < _height; y += stepY)
                {
                    int bytes = RowBytes(columns);
                    ReadRow(stream, current.AsSpan(0, bytes), previous.AsSpan(0, bytes));
                    expander.Expand(current, row.AsSpan(0, columns * 3));
                    for (int x = 0; x < columns; x++)
                        row.AsSpan(x * 3, 3).CopyTo(pixels.AsSpan((y * _width + left + x * stepX) * 3));
                    (current, previous) = (previous, current);
                }
            }
        }

        // Reaching the end makes the stream compare its checksum; a surplus of data is never inflated.
        Span<byte> surplus = stackalloc byte[1];
        Inflate(stream, surplus);
        return new RgbImage(_width, _height, pixels);
    }

    private static ReadOnlySpan<(int Left, int Top, int StepX, int StepY)> Adam7 => new[]
    {
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    };

    private readonly int RowBytes(int columns) => (int)(((long)columns * Channels * _depth + 7) / 8);

    private readonly void ReadRow(ZLibStream stream, Span<byte> row, ReadOnlySpan<byte> previous)
    {
        Span<byte> filter = stackalloc byte[1];
        if (Inflate(stream, filter) < 1 || Inflate(stream, row) < row.Length)
            throw _file.Truncated("the PNG's pixel data");
        if (!PngFilter.Undo(filter[0], row, previous, Math.Max(1, Channels * _depth / 8)))
            throw _file.Broken($"a PNG row has the unknown filter {filter[0]}");
    }

    private readonly int Inflate(ZLibStream stream, Span<byte> to)
    {
        try
        {
            return stream.ReadAtLeast(to, to.Length, throwOnEndOfStream: false);
        }
        catch (Exception error) when (error is InvalidDataException or IOException)
        {
            // The second is what data that asks for a preset dictionary ends in.
            throw _file.Broken("the PNG's pixel data is corrupt or truncated", error);
        }
    }
}
