namespace Portable.Vision.Processing;

/// <summary>
/// How the processors that cut images into tiles choose sizes. Formulas: the image processors of transformers (GotOcr2, Idefics3 and SmolVLM,
/// LLaVA-NeXT and LLaVA-OneVision, Pixtral, Gemma3, GLM-4V, MiniCPM-V).
/// </summary>
internal static class TileSizes
{
    /// <summary>InternVL: of all grids of so many tiles the one of the nearest aspect ratio; of equally near ones the later where the image has pixels enough.</summary>
    public static (int Columns, int Rows) NearestGrid(int height, int width, int tileHeight, int tileWidth, int least, int most)
    {
        double aspect = (double)width / height, area = (double)width * height, nearest = double.PositiveInfinity;
        (int Columns, int Rows) best = (1, 1);
        IEnumerable<(int Columns, int Rows)> grids = Enumerable.Range(1, most)
            .SelectMany(columns => Enumerable.Range(1, most / columns).Select(rows => (columns, rows)))
            .Where(g => g.columns * g.rows >= least).OrderBy(g => g.columns * g.rows);
        foreach ((int columns, int rows) in grids)
        {
            double difference = Math.Abs(aspect - ((double)columns / rows));
            if (difference < nearest || (difference == nearest && area > 0.5 * tileHeight * tileWidth * columns * rows))
                (nearest, best) = (difference, (columns, rows));
        }

        return best;
    }

    /// <summary>Idefics3: the longer side made <paramref name="longest"/>, the other even, at most 4096.</summary>
    public static (int Height, int Width) WithLongestEdge(int height, int width, int longest)
    {
        const int Most = 4096;
        double aspect = (double)width / height;
        if (width >= height)
            (height, width) = (Even((int)(longest / aspect)), longest);
        else
            (height, width) = (longest, Even((int)(longest * aspect)));
        (height, width) = (Math.Max(height, 1), Math.Max(width, 1));
        aspect = (double)width / height;
        if (width >= height && width > Most)
            (height, width) = ((int)(Most / aspect), Most);
        else if (height > width && height > Most)
            (height, width) = (Most, (int)(Most * aspect));
        return (Math.Max(height, 1), Math.Max(width, 1));

        static int Even(int side) => side + (side % 2);
    }

    /// <summary>Idefics3: both sides up to multiples of a tile's, the longer one first.</summary>
    public static (int Height, int Width) WholeTiles(int height, int width, int tile)
    {
        double aspect = (double)width / height;
        if (width >= height)
        {
            width = Up(width);
            height = Up((int)(width / aspect));
        }
        else
        {
            height = Up(height);
            width = Up((int)(height * aspect));
        }

        return (height, width);

        int Up(int side) => (int)Math.Ceiling((double)side / tile) * tile;
    }

    /// <summary>LLaVA: the resolution that keeps most pixels; of equal ones the one that wastes least.</summary>
    public static (int Height, int Width) BestResolution(int height, int width, IReadOnlyList<(int Height, int Width)> resolutions)
    {
        (int Height, int Width) best = resolutions[0];
        long mostKept = 0, leastWasted = long.MaxValue;
        foreach ((int h, int w) in resolutions)
        {
            double scale = Math.Min((double)w / width, (double)h / height);
            long kept = Math.Min((long)(int)(width * scale) * (int)(height * scale), (long)width * height), wasted = ((long)w * h) - kept;
            if (kept > mostKept || (kept == mostKept && wasted < leastWasted))
                (mostKept, leastWasted, best) = (kept, wasted, (h, w));
        }

        return best;
    }

    /// <summary>LLaVA: the size inside a resolution that keeps the aspect ratio.</summary>
    public static (int Height, int Width) Inside(int height, int width, (int Height, int Width) resolution)
    {
        double across = (double)resolution.Width / width, down = (double)resolution.Height / height;
        return across < down
            ? (Math.Min((int)Math.Ceiling(height * across), resolution.Height), resolution.Width)
            : (resolution.Height, Math.Min((int)Math.Ceiling(width * down), resolution.Width));
    }

    /// <summary>Pixtral: the longer side at most <paramref name="longest"/>, then both up to multiples of a token's side; 0 where nothing is left of the shorter one.</summary>
    public static (int Height, int Width) Pixtral(int height, int width, int longest, int token)
    {
        double ratio = Math.Max((double)height / longest, (double)width / longest);
        (int h, int w) = ratio > 1 ? ((int)Math.Floor(height / ratio), (int)Math.Floor(width / ratio)) : (height, width);
        return ((h + token - 1) / token * token, (w + token - 1) / token * token);
    }

    /// <summary>Gemma-3: into how many rows and columns of crops an image is cut; (0, 0) for none.</summary>
    public static (int Rows, int Columns) Crops(int height, int width, int leastSize, int most, double leastRatio)
    {
        bool isWide = width >= height;
        (int longer, int shorter) = isWide ? (width, height) : (height, width);
        if ((double)longer / shorter < leastRatio)
            return (0, 0);
        int count = (int)Math.Floor(((double)longer / shorter) + 0.5);
        count = Math.Min(most, Math.Max(2, Math.Min(longer / leastSize, count)));
        if (Math.Min((int)Math.Ceiling((double)longer / count), shorter) < leastSize)
            return (0, 0);
        return isWide ? (1, count) : (count, 1);
    }

    /// <summary>GLM-4V's images and Qwen3-VL's videos: as <see cref="SmartResize"/>, with the frames counted in pairs, and sides below the factor scaled up first.</summary>
    public static (int Height, int Width) Glm4v(int height, int width, int frames, int factor, long minPixels, long maxPixels)
    {
        const long MostPixels = 1L << 28;
        double h = height, w = width;
        if (height < factor || width < factor)
        {
            double scale = Math.Max((double)factor / height, (double)factor / width);
            (h, w) = (Math.Floor(height * scale), Math.Floor(width * scale));
        }

        double ratio = Math.Max(h, w) / Math.Min(h, w);
        if (ratio > 200)
            throw new InvalidInputException("image", $"one side of {width} x {height} pixels is {ratio:0.###} times the other, and the model takes at most 200 times; crop it");
        int whole = Math.Max(2, (int)Math.Round(frames / 2.0, MidpointRounding.ToEven) * 2);
        double high = Math.Round(h / factor, MidpointRounding.ToEven) * factor, wide = Math.Round(w / factor, MidpointRounding.ToEven) * factor;
        if (whole * high * wide > maxPixels)
        {
            double scale = Math.Sqrt(frames * h * w / maxPixels);
            (high, wide) = (Math.Max(factor, Math.Floor(h / scale / factor) * factor), Math.Max(factor, Math.Floor(w / scale / factor) * factor));
        }
        else if (whole * high * wide < minPixels)
        {
            double scale = Math.Sqrt(minPixels / (frames * h * w));
            (high, wide) = (Math.Ceiling(h * scale / factor) * factor, Math.Ceiling(w * scale / factor) * factor);
        }

        return high * wide <= MostPixels
            ? ((int)high, (int)wide)
            : throw new InvalidInputException("image", $"{width} x {height} pixels would be resized to {wide} x {high}, above the cap of {MostPixels} pixels");
    }

    /// <summary>MiniCPM-V: a size of about scale x scale pixels whose sides are multiples of a unit.</summary>
    public static (int Height, int Width) NearArea(int height, int width, int scale, int unit, bool mayGrow)
    {
        double h = height, w = width;
        if ((double)height * width > (double)scale * scale || mayGrow)
        {
            double ratio = (double)width / height;
            h = Math.Floor(scale / Math.Sqrt(ratio));
            w = Math.Floor(h * ratio);
        }

        return (Multiple(h), Multiple(w));

        int Multiple(double side) => Math.Max((int)Math.Round(side / unit, MidpointRounding.ToEven) * unit, unit);
    }
}
