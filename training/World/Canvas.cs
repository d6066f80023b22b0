using SkiaSharp;

namespace Portable.Training.World;

/// <summary>
/// An image being drawn, which remembers what was drawn where. Everything after the background is turned together by a few degrees.
/// </summary>
internal sealed class Canvas : IDisposable
{
    private readonly SKBitmap _bitmap;
    private readonly SKCanvas _canvas;
    private readonly WorldRandom _random;
    private readonly List<Mark> _marks = [];
    private readonly SKPaint _paint = new() { IsAntialias = true };

    public Canvas(int width, int height, WorldRandom random, bool dark = false)
    {
        Width = width;
        Height = height;
        _random = random;
        _bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        _canvas = new SKCanvas(_bitmap);
        PaintBackground(dark);
        if (random.Chance(0.5))
            _canvas.RotateDegrees(random.Between(-4f, 4f), width / 2f, height / 2f);
    }

    public int Width { get; }

    public int Height { get; }

    private void PaintBackground(bool dark)
    {
        int level = dark ? _random.Between(0, 50) : _random.Between(205, 255);
        SKColor from = Palette.Jitter(new SKColor((byte)level, (byte)level, (byte)level), _random, 12);
        if (_random.Chance(0.35))
        {
            SKColor to = Palette.Jitter(from, _random, 18);
            using SKShader shader = SKShader.CreateLinearGradient(
                new SKPoint(0, 0), _random.Chance(0.5) ? new SKPoint(Width, 0) : new SKPoint(0, Height), [from, to], SKShaderTileMode.Clamp);
            using var paint = new SKPaint { Shader = shader };
            _canvas.DrawRect(0, 0, Width, Height, paint);
        }
        else
        {
            _canvas.Clear(from);
        }

        if (_random.Chance(0.12))
        {
            SKColor line = Palette.Jitter(from, _random, 14);
            int step = _random.Between(6, 18);
            for (int y = _random.Between(0, step); y < Height; y += step)
                Line(0, y, Width, y, line);
        }
    }

    public void Mark(float x, float y, int label)
    {
        if (label < 0)
            return;
        SKPoint at = _canvas.TotalMatrix.MapPoint(x, y);
        if (at.X >= 0 && at.X < Width && at.Y >= 0 && at.Y < Height)
            _marks.Add(new Mark(at.X, at.Y, label));
    }

    /// <summary>Where a point of the drawing lands in the finished image.</summary>
    public SKPoint Place(float x, float y) => _canvas.TotalMatrix.MapPoint(x, y);

    public void Line(float x0, float y0, float x1, float y1, SKColor colour, float width = 1)
    {
        _paint.Style = SKPaintStyle.Stroke;
        _paint.StrokeWidth = width;
        _paint.Color = colour;
        _canvas.DrawLine(x0, y0, x1, y1, _paint);
    }

    public void Frame(float x, float y, float width, float height, SKColor colour, float thickness = 1, float radius = 0)
    {
        _paint.Style = SKPaintStyle.Stroke;
        _paint.StrokeWidth = thickness;
        _paint.Color = colour;
        _canvas.DrawRoundRect(x, y, width, height, radius, radius, _paint);
    }

    public void Fill(float x, float y, float width, float height, SKColor colour)
    {
        _paint.Style = SKPaintStyle.Fill;
        _paint.Color = colour;
        _canvas.DrawRect(x, y, width, height, _paint);
    }

    public void Polygon(ReadOnlySpan<SKPoint> corners, SKColor colour)
    {
        using var path = new SKPathBuilder();
        path.AddPoly(corners.ToArray(), close: true);
        _paint.Style = SKPaintStyle.Fill;
        _paint.Color = colour;
        using SKPath outline = path.Detach();
        _canvas.DrawPath(outline, _paint);
    }

    public void Circle(float x, float y, float radius, SKColor colour)
    {
        _paint.Style = SKPaintStyle.Fill;
        _paint.Color = colour;
        _canvas.DrawCircle(x, y, radius, _paint);
    }

    /// <summary>Draws a run of text with its top left corner there; its glyphs are marked one by one, with their order and the line of the form.</summary>
    public void Text(float x, float top, string text, SKFont font, SKColor colour, int line = -1)
    {
        _paint.Style = SKPaintStyle.Fill;
        _paint.Color = colour;
        SKFontMetrics metrics = font.Metrics;
        float baseline = top - metrics.Ascent;
        _canvas.DrawText(text, x, baseline, SKTextAlign.Left, font, _paint);
        float middle = baseline - metrics.CapHeight / 2, before = 0;
        for (int i = 0; i < text.Length; i++)
        {
            float after = font.MeasureText(text.AsSpan(0, i + 1));
            Mark(x + (before + after) / 2, middle, Marks.Glyph(text[i]));
            Mark(x + (before + after) / 2, middle, Marks.Order(i));
            Mark(x + (before + after) / 2, middle, Marks.Line(line));
            before = after;
        }
    }

    /// <summary>The largest font of that face, at most <paramref name="size"/>, in which the text is at most that wide.</summary>
    public static SKFont Fit(SKTypeface face, float size, string text, float width)
    {
        var font = new SKFont(face, size) { Edging = SKFontEdging.Antialias, Subpixel = true };
        float natural = font.MeasureText(text);
        if (natural > width)
            font.Size = size * width / natural;
        return font;
    }

    /// <summary>Blur, noise and JPEG artefacts, each now and then; then the picture with all that is known of it.</summary>
    public Picture Finish(List<Question> questions, List<Lookup> lookups)
    {
        _canvas.Flush();
        SKBitmap source = _bitmap;
        using SKBitmap? blurred = _random.Chance(0.2) ? Blur(_random.Between(0.3f, 0.6f)) : null;
        source = blurred ?? source;
        if (_random.Chance(0.2))
            AddNoise(source, _random.Between(2, 7));
        byte[]? file = null;
        if (_random.Chance(0.5))
        {
            using SKData encoded = source.Encode(SKEncodedImageFormat.Jpeg, _random.Between(55, 95));
            file = encoded.ToArray();
            using SKBitmap decoded = SKBitmap.Decode(file, new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
            return new Picture(Width, Height, Rgb(decoded), file, _marks, questions, lookups);
        }

        return new Picture(Width, Height, Rgb(source), file, _marks, questions, lookups);
    }

    private SKBitmap Blur(float sigma)
    {
        var target = new SKBitmap(_bitmap.Info);
        using var canvas = new SKCanvas(target);
        using SKImageFilter filter = SKImageFilter.CreateBlur(sigma, sigma, SKShaderTileMode.Clamp);
        using var paint = new SKPaint { ImageFilter = filter };
        canvas.DrawBitmap(_bitmap, 0, 0, SKSamplingOptions.Default, paint);
        return target;
    }

    private unsafe void AddNoise(SKBitmap bitmap, int strength)
    {
        var pixels = new Span<byte>((void*)bitmap.GetPixels(), bitmap.Width * bitmap.Height * 4);
        for (int i = 0; i < pixels.Length; i += 8)
        {
            ulong bits = _random.Next();
            for (int j = i; j < Math.Min(i + 8, pixels.Length); j++, bits >>= 8)
            {
                if (j % 4 != 3)
                    pixels[j] = (byte)Math.Clamp(pixels[j] + ((int)(bits & 255) - 128) * strength / 64, 0, 255);
            }
        }
    }

    private static byte[] Rgb(SKBitmap bitmap)
    {
        ReadOnlySpan<byte> pixels = bitmap.GetPixelSpan();
        byte[] rgb = new byte[bitmap.Width * bitmap.Height * 3];
        for (int i = 0, o = 0; o < rgb.Length; i += 4, o += 3)
        {
            rgb[o] = pixels[i];
            rgb[o + 1] = pixels[i + 1];
            rgb[o + 2] = pixels[i + 2];
        }

        return rgb;
    }

    public void Dispose()
    {
        _paint.Dispose();
        _canvas.Dispose();
        _bitmap.Dispose();
    }
}
