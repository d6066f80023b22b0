using System.Buffers.Binary;
using System.IO.Compression;
using Portable.Vision.Images;
using SkiaSharp;

namespace Portable.Tests.Vision.Images;

public sealed class ImageDecoderTests
{
    private static readonly SkiaImageDecoder Decoder = new();

    [Test]
    public void Limits_are_checked_against_the_header_and_the_error_names_image_found_and_limit()
    {
        byte[] png = Png(40, 30);
        Assert.Multiple(() =>
        {
            Assert.That(Refusal(png, new ImageLimits { MaxFileBytes = 20 }), Does.Contain("photo 7").And.Contain("the limit is 20"));
            Assert.That(Refusal(png, new ImageLimits { MaxPixels = 1199 }), Does.Contain("1200").And.Contain("1199"));
            Assert.That(Refusal(png, new ImageLimits { MaxSide = 39 }), Does.Contain("40 x 30").And.Contain("39"));
            Assert.That(Refusal(png, new ImageLimits { MaxDecodedBytes = 3599 }), Does.Contain("3600").And.Contain("3599"));
            Assert.That(Decoder.Decode(png, new ImageDecodeOptions { Limits = new ImageLimits { MaxPixels = 1200, MaxSide = 40, MaxDecodedBytes = 3600 } }).Width, Is.EqualTo(40));
        });
    }

    [Test]
    public void A_GIF_is_decoded_across_a_change_of_code_length()
    {
        Assert.That(Decoder.Decode(SmallGif()).Pixels.ToArray(), Is.EqualTo(new byte[] { 200, 210, 220, 10, 20, 30, 200, 210, 220, 10, 20, 30 }));
    }

    [TestCase("TIFF", new byte[] { (byte)'I', (byte)'I', 42, 0, 8, 0, 0, 0 })]
    [TestCase("AVIF", new byte[] { 0, 0, 0, 28, 102, 116, 121, 112, 97, 118, 105, 102, 0, 0, 0, 0 })]
    [TestCase("HEIF", new byte[] { 0, 0, 0, 28, 102, 116, 121, 112, 104, 101, 105, 99, 0, 0, 0, 0 })]
    [TestCase("JPEG XL", new byte[] { 0xFF, 0x0A, 0, 0 })]
    [TestCase("ICO", new byte[] { 0, 0, 1, 0, 1, 0 })]
    [TestCase("PSD", new byte[] { 56, 66, 80, 83, 0, 1 })]
    public void A_known_format_that_is_not_on_the_list_is_refused_by_name(string format, byte[] start)
    {
        UnsupportedException error = Assert.Throws<UnsupportedException>(() => Decoder.Decode(start))!;
        Assert.That(error.Feature, Does.Contain(format));
    }

    [Test]
    public void Every_prefix_of_a_PNG_and_of_a_GIF_is_refused_as_broken()
    {
        foreach (byte[] file in new[] { Png(9, 7), SmallGif() })
        {
            Decoder.Decode(file);
            for (int length = 0; length < file.Length - 1; length++)
            {
                // A GIF's pixels are complete before its trailer and the end of its data.
                if (file[0] == (byte)'G' && length >= file.Length - 3)
                    continue;
                Assert.Throws<InvalidInputException>(() => Decoder.Decode(file.AsMemory(0, length)), $"{(char)file[1]}, {length} of {file.Length} bytes");
            }
        }
    }

    [Test]
    public void A_PNG_whose_data_asks_for_a_preset_dictionary_is_a_typed_error()
    {
        // Bit 5 of the second byte of a zlib stream; no PNG may have it.
        byte[] data = [0x78, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        byte[] png = Png(4, 4);
        byte[] file = [.. png[..33], .. Chunk("IDAT"u8, data), .. Chunk("IEND"u8, [])];
        Assert.Throws<InvalidInputException>(() => Decoder.Decode(file));
    }

    [Test]
    public void Files_with_random_bytes_changed_give_an_image_or_a_typed_error_and_nothing_else()
    {
        var random = new Random(5);
        var options = new ImageDecodeOptions { Limits = new ImageLimits { MaxPixels = 1 << 22, MaxDecodedBytes = 64 << 20 } };
        foreach (byte[] sound in new[] { Png(33, 21), SmallGif(), Encode(SKEncodedImageFormat.Jpeg, 90), Encode(SKEncodedImageFormat.Webp, 80), Encode(SKEncodedImageFormat.Webp, 100), Bmp() })
        {
            Decoder.Decode(sound, options);
            for (int trial = 0; trial < 400; trial++)
            {
                byte[] file = (byte[])sound.Clone();
                for (int change = random.Next(1, 6); change > 0; change--)
                    file[random.Next(file.Length)] = (byte)random.Next(256);
                try
                {
                    RgbImage image = Decoder.Decode(file, options);
                    Assert.That(image.Pixels.Length, Is.EqualTo(image.Width * image.Height * 3));
                }
                catch (PortableException)
                {
                }
            }
        }
    }

    [Test]
    public void Decoding_from_many_threads_gives_the_same_pixels()
    {
        byte[] file = Encode(SKEncodedImageFormat.Jpeg, 90);
        byte[] expected = Decoder.Decode(file).Pixels.ToArray();
        Parallel.For(0, 64, _ => Assert.That(Decoder.Decode(file).Pixels.SequenceEqual(expected)));
    }

    [Test]
    public void An_image_refuses_an_array_whose_length_disagrees_with_its_size()
    {
        Assert.Throws<ArgumentException>(() => _ = new RgbImage(2, 2, new byte[11]));
        Assert.Throws<ArgumentException>(() => _ = new RgbImage(65536, 65536, []));
    }

    private static string Refusal(byte[] file, ImageLimits limits) =>
        Assert.Throws<InvalidInputException>(() => Decoder.Decode(file, new ImageDecodeOptions { Limits = limits, Name = "photo 7" }))!.Message;

    private static byte[] Encode(SKEncodedImageFormat format, int quality)
    {
        using var bitmap = new SKBitmap(31, 23, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        for (int y = 0; y < bitmap.Height; y++)
        {
            for (int x = 0; x < bitmap.Width; x++)
                bitmap.SetPixel(x, y, new SKColor((byte)(x * 8), (byte)(y * 11), (byte)(x * y), (byte)(255 - x)));
        }

        using SKData data = bitmap.Encode(format, quality);
        return data.ToArray();
    }

    private static byte[] Png(int width, int height)
    {
        var random = new Random(1);
        using var rows = new MemoryStream();
        using (var zlib = new ZLibStream(rows, CompressionLevel.Optimal, leaveOpen: true))
        {
            for (int y = 0; y < height; y++)
            {
                byte[] row = new byte[1 + width * 3];
                random.NextBytes(row);
                row[0] = (byte)(y % 5);
                zlib.Write(row);
            }
        }

        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        header[9] = 2;
        return [.. PngReader.Signature, .. Chunk("IHDR"u8, header), .. Chunk("IDAT"u8, rows.ToArray()), .. Chunk("IEND"u8, [])];
    }

    private static byte[] Chunk(ReadOnlySpan<byte> type, byte[] content)
    {
        byte[] chunk = new byte[12 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        type.CopyTo(chunk.AsSpan(4));
        content.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + content.Length), Crc32.Compute(chunk.AsSpan(4, 4 + content.Length)));
        return chunk;
    }

    // 4 x 1 pixels of colours 1, 0, 1, 0: the codes clear, 1, 0, 1 of 3 bits, then 0 and end of 4 bits.
    private static byte[] SmallGif() =>
    [
        .. "GIF89a"u8, 4, 0, 1, 0, 0x80, 0, 0, 10, 20, 30, 200, 210, 220,
        0x2C, 0, 0, 0, 0, 4, 0, 1, 0, 0, 2, 3, 12, 2, 5, 0, 0x3B,
    ];

    private static byte[] Bmp()
    {
        byte[] file = new byte[54 + 4 * 12];
        "BM"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(2), file.Length);
        file[10] = 54;
        file[14] = 40;
        file[18] = 3;
        file[22] = 4;
        file[26] = 1;
        file[28] = 24;
        return file;
    }
}
