using System.Globalization;
using System.Text;
using Portable.Decoding;

namespace Portable.Vision.Processing;

/// <summary>How a family's image tokens stand in the prompt.</summary>
internal enum ImageLayoutKind
{
    /// <summary>One run of all tokens (Qwen, GLM-4V).</summary>
    Grid,

    /// <summary>All tiles in one run between two tokens.</summary>
    InternVl,

    /// <summary>A run for each tile, named by row and column.</summary>
    Idefics,

    /// <summary>One run, put together of tiles, with a learned row at each line's end.</summary>
    Llava,

    /// <summary>A run for each view of the image, each a paragraph of its own.</summary>
    Gemma3,

    /// <summary>A run for each row of tokens, a token behind each.</summary>
    Pixtral,
}

/// <summary>What stands in the prompt for an image, and which of the tower's rows its tokens show.</summary>
/// <param name="Text">The text in place of the placeholder, <see cref="PreparedImage.Run"/> for each run of image tokens.</param>
/// <param name="Runs">The grid of each run; where its tokens have none, one row of all.</param>
/// <param name="Map">Where tokens are not the tower's rows one by one: what each is made of.</param>
internal sealed record ImageLayout(string Text, IReadOnlyList<TokenGrid> Runs, FeatureMap? Map)
{
    /// <summary>Lays out an image.</summary>
    /// <param name="kind">The family's way.</param>
    /// <param name="image">The image.</param>
    /// <param name="mostTilesOfTokens">LLaVA-OneVision: how many tiles' worth of tokens it may have; 0 for any number.</param>
    public static ImageLayout Of(ImageLayoutKind kind, ProcessedImage image, int mostTilesOfTokens)
    {
        int perTile = image.GridH / image.MergeSize * (image.GridW / image.MergeSize);
        switch (kind)
        {
            case ImageLayoutKind.InternVl:
                return new($"<img>{PreparedImage.Run}</img>", [Row(image.Tokens)], null);
            case ImageLayoutKind.Idefics:
                return Idefics(image.Tiling!, perTile);
            case ImageLayoutKind.Llava:
                FeatureMap map = FeatureMap.Llava(image.Tiling!, image.GridH / image.MergeSize, mostTilesOfTokens);
                return new(PreparedImage.Run, [Row(map.Tokens)], map);
            case ImageLayoutKind.Gemma3:
                const string View = $"\n\n<start_of_image>{PreparedImage.Run}<end_of_image>\n\n";
                int crops = image.Tiling!.Tiles.Count - 1;
                string text = crops == 0 ? View
                    : $"Here is the original image {View} and here are some crops to help you see better {string.Join(' ', Enumerable.Repeat(View, crops))}";
                return new(text, [.. Enumerable.Repeat(Row(perTile), crops + 1)], null);
            case ImageLayoutKind.Pixtral:
                int rows = image.GridH / image.MergeSize;
                return new(
                    string.Concat(Enumerable.Range(0, rows).Select(row => PreparedImage.Run + (row == rows - 1 ? "[IMG_END]" : "[IMG_BREAK]"))),
                    [.. Enumerable.Repeat(Row(image.GridW / image.MergeSize), rows)], null);
            default:
                return new(PreparedImage.Run, [new(image.GridT, image.GridH / image.MergeSize, image.GridW / image.MergeSize)], null);
        }
    }

    /// <summary>Lays out a video.</summary>
    /// <param name="kind">The family's way.</param>
    /// <param name="video">The video.</param>
    /// <param name="framesPerSecond">How many of its frames are shown in a second.</param>
    /// <param name="framesOfPatch">Frames that are one step in time.</param>
    /// <param name="stepsPerSecond"><see cref="VideoKind.Spaced"/>: how far positions go in a second.</param>
    public static ImageLayout OfVideo(VideoKind kind, ProcessedImage video, double framesPerSecond, int framesOfPatch, double stepsPerSecond)
    {
        int rows = video.GridH / video.MergeSize, columns = video.GridW / video.MergeSize;
        if (kind != VideoKind.Stamped)
        {
            int step = kind == VideoKind.Spaced ? (int)(stepsPerSecond * framesOfPatch / framesPerSecond) : 1;
            return new(PreparedImage.Run, [new TokenGrid(video.GridT, rows, columns) { FrameStep = step }], null);
        }

        var text = new StringBuilder();
        for (int pair = 0; pair < video.GridT; pair++)
        {
            // The middle of the first and the last frame of the pair.
            double seconds = ((pair * framesOfPatch) + ((framesOfPatch - 1) / 2.0)) / framesPerSecond;
            text.Append(CultureInfo.InvariantCulture, $"<{OneDecimal(seconds)} seconds><|vision_start|>{PreparedImage.Run}<|vision_end|>");
        }

        return new(text.ToString(), [.. Enumerable.Repeat(new TokenGrid(1, rows, columns), video.GridT)], null);
    }

    // As Python writes it: what lies exactly between goes to the even digit.
    private static string OneDecimal(double value) => value * 4 % 2 == 1
        ? Math.Round(value, 1, MidpointRounding.ToEven).ToString("F1", CultureInfo.InvariantCulture)
        : value.ToString("F1", CultureInfo.InvariantCulture);

    private static TokenGrid Row(int tokens) => new(1, 1, tokens);

    private static ImageLayout Idefics(TiledImage tiling, int perTile)
    {
        const string Around = "<fake_token_around_image>";
        var text = new StringBuilder();
        for (int row = 1; row <= tiling.Rows; row++)
        {
            for (int column = 1; column <= tiling.Columns; column++)
                text.Append(CultureInfo.InvariantCulture, $"{Around}<row_{row}_col_{column}>{PreparedImage.Run}");
            text.Append('\n');
        }

        if (tiling.Rows > 0)
            text.Append('\n');
        text.Append(Around).Append("<global-img>").Append(PreparedImage.Run).Append(Around);
        return new(text.ToString(), [.. Enumerable.Repeat(Row(perTile), (tiling.Rows * tiling.Columns) + 1)], null);
    }
}

/// <summary>
/// Tokens made of the tower's rows: token t is the sum over k of Weights[k][t] times row Sources[k][t], or that row itself where there are no weights.
/// The row after the tower's last is the newline.
/// </summary>
/// <param name="Sources">For each term the row of each token.</param>
/// <param name="Weights">For each term the weight of each token; null for one term of weight 1.</param>
internal sealed record FeatureMap(IReadOnlyList<int[]> Sources, IReadOnlyList<float[]>? Weights)
{
    /// <summary>Tokens.</summary>
    public int Tokens => Sources[0].Length;

    /// <summary>
    /// LLaVA's: the whole image first, then its tiles as one picture without their black margins, made smaller where it is too large, a newline behind each
    /// row. Source: transformers' LLaVA-NeXT and LLaVA-OneVision.
    /// </summary>
    /// <param name="tiling">The tiles.</param>
    /// <param name="side">Tokens of a tile's side.</param>
    /// <param name="mostTiles">How many tiles' worth of tokens there may be; 0 for any number.</param>
    public static FeatureMap Llava(TiledImage tiling, int side, int mostTiles)
    {
        int tiles = tiling.Rows * tiling.Columns, each = side * side, newline = (tiles + 1) * each;
        int height = tiling.Rows * side, width = tiling.Columns * side, top = 0, left = 0;
        if ((double)tiling.Width / tiling.Height > (double)width / height)
            top = (height - (int)Math.Round(tiling.Height * ((double)width / tiling.Width), 7)) / 2;
        else
            left = (width - (int)Math.Round(tiling.Width * ((double)height / tiling.Height), 7)) / 2;
        (height, width) = (height - (2 * top), width - (2 * left));

        int outHeight = height, outWidth = width;
        double ratio = mostTiles == 0 ? 0 : Math.Sqrt((double)height * width / ((double)mostTiles * each));
        if (ratio > 1.1)
            (outHeight, outWidth) = ((int)Math.Floor(height / ratio), (int)Math.Floor(width / ratio));
        bool isSmaller = ratio > 1.1;
        int terms = isSmaller ? 4 : 1, tokens = each + (outHeight * (outWidth + 1));
        int[][] sources = [.. Enumerable.Range(0, terms).Select(_ => new int[tokens])];
        float[][] weights = [.. Enumerable.Range(0, terms).Select(_ => new float[tokens])];
        for (int t = 0; t < each; t++)
            Put(t, 0, t, 1);
        for (int row = 0; row < outHeight; row++)
        {
            int first = each + (row * (outWidth + 1));
            (int up, int down, float lower) = isSmaller ? Between(row, height, outHeight) : (row, row, 0);
            for (int column = 0; column < outWidth; column++)
            {
                (int before, int after, float right) = isSmaller ? Between(column, width, outWidth) : (column, column, 0);
                Put(first + column, 0, Row(up, before), (1 - lower) * (1 - right));
                if (!isSmaller)
                    continue;
                Put(first + column, 1, Row(up, after), (1 - lower) * right);
                Put(first + column, 2, Row(down, before), lower * (1 - right));
                Put(first + column, 3, Row(down, after), lower * right);
            }

            Put(first + outWidth, 0, newline, 1);
        }

        return new(sources, isSmaller ? weights : null);

        void Put(int token, int term, int source, float weight) => (sources[term][token], weights[term][token]) = (source, weight);

        int Row(int y, int x)
        {
            (int row, int column) = (top + y, left + x);
            int tile = 1 + (row / side * tiling.Columns) + (column / side);
            return (tile * each) + (row % side * side) + (column % side);
        }

        // Linear interpolation without aligned corners, as PyTorch's.
        static (int Low, int High, float Part) Between(int index, int size, int outSize)
        {
            float at = Math.Max(0, ((index + 0.5f) * ((float)size / outSize)) - 0.5f);
            int low = Math.Min((int)at, size - 1);
            return (low, Math.Min(low + 1, size - 1), at - low);
        }
    }
}
