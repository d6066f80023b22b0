using System.Security.Cryptography;
using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// Prepares images for a tower that sees them as tiles of one size: resized and cut as the family does, then normalised. The tower's patches are
/// cut in a second step, because only the tower knows their size. Thread-safe and without state between calls.
/// </summary>
internal abstract class TileProcessor
{
    private static readonly double[] s_half = [0.5, 0.5, 0.5];

    /// <summary>CLIP's mean and standard deviation, of the families that were made with it.</summary>
    protected static readonly double[] ClipMean = [0.48145466, 0.4578275, 0.40821073];

    /// <inheritdoc cref="ClipMean"/>
    protected static readonly double[] ClipStd = [0.26862954, 0.26130258, 0.27577711];

    /// <summary>Creates it.</summary>
    /// <param name="config">The settings.</param>
    /// <param name="filter">The filter where the settings name none.</param>
    /// <param name="mean">The mean where the settings name none; null for one half.</param>
    /// <param name="std">The standard deviation where the settings name none; null for one half.</param>
    protected TileProcessor(ImageProcessorConfig config, ResampleFilter filter, double[]? mean = null, double[]? std = null)
    {
        Config = config;
        Filter = config.Resample ?? filter;
        Normalisation = new NormalisationTable(config, mean ?? s_half, std ?? s_half);
    }

    /// <summary>The settings that it follows.</summary>
    public ImageProcessorConfig Config { get; }

    /// <summary>The value of every byte.</summary>
    public NormalisationTable Normalisation { get; }

    /// <summary>The filter of resizing.</summary>
    protected ResampleFilter Filter { get; }

    /// <summary>Most tiles that an image of any size becomes.</summary>
    public abstract int MostTiles { get; }

    /// <summary>Most pixels of one tile.</summary>
    public abstract long MostTilePixels { get; }

    /// <summary>Resizes and cuts an image.</summary>
    /// <exception cref="InvalidInputException">The model cannot take an image of this size.</exception>
    public abstract TiledImage Cut(RgbImage image, int threads = -1);

    /// <summary>Prepares an image for a tower.</summary>
    /// <param name="image">The image.</param>
    /// <param name="patch">Pixels of a patch's side.</param>
    /// <param name="temporal">Frames of a patch.</param>
    /// <param name="merge">Patches of a merge block's side.</param>
    /// <param name="cancellation">Cancels.</param>
    public ProcessedImage Process(RgbImage image, int patch, int temporal, int merge, CancellationToken cancellation)
    {
        TiledImage tiled = Cut(image);
        cancellation.ThrowIfCancellationRequested();
        var cutter = new PatchCutter(Normalisation, patch, temporal, merge);
        RgbImage first = tiled.Tiles[0];
        int rows = first.Height / patch, columns = first.Width / patch;
        long each = (long)rows * columns * cutter.PatchLength;
        if (each * tiled.Tiles.Count > Array.MaxLength)
            throw new InvalidInputException("image", $"{tiled.Tiles.Count} tiles make {each * tiled.Tiles.Count} patch values, more than one array holds");
        float[] values = GC.AllocateUninitializedArray<float>((int)(each * tiled.Tiles.Count));
        for (int i = 0; i < tiled.Tiles.Count; i++)
        {
            RgbImage tile = tiled.Tiles[i];
            // Patches that do not fill a tile's side are left out, as a convolution leaves them out.
            if (tile.Width % patch != 0 || tile.Height % patch != 0)
                tile = Tiling.Part(tile, 0, 0, rows * patch, columns * patch);
            cutter.Cut(tile, values.AsMemory((int)(i * each), (int)each), -1, cancellation);
        }

        return new ProcessedImage(values, cutter.PatchLength, tiled.Tiles.Count, rows, columns, merge, first, Hash(tiled, patch, merge)) { Tiling = tiled };
    }

    private string Hash(TiledImage tiled, int patch, int merge)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int[] numbers = [tiled.Rows, tiled.Columns, tiled.HasOverview ? 1 : 0, tiled.Height, tiled.Width, patch, merge, tiled.Tiles[0].Height, tiled.Tiles[0].Width];
        hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(numbers));
        for (int channel = 0; channel < 3; channel++)
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Normalisation.Channel(channel)));
        foreach (RgbImage tile in tiled.Tiles)
            hash.AppendData(tile.Pixels);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The size of a tile from the settings: two equal sides, or a height and a width.</summary>
    protected (int Height, int Width) TileSize(ImageSizeConfig? size, string key) => size switch
    {
        { Height: { } height, Width: { } width } => (height, width),
        { ShortestEdge: { } edge and <= 1 << 16 } => ((int)edge, (int)edge),
        _ => throw new InvalidModelException(Config.Source, key, "expected a height and a width, or shortest_edge"),
    };

    /// <summary>How many tiles fit into a number of pixels; as many as one likes where there is no bound.</summary>
    protected static int Fitting(long? mostPixels, long tilePixels) =>
        mostPixels is { } most ? (int)Math.Clamp(most / tilePixels, 1, int.MaxValue) : int.MaxValue;

    /// <summary>The longer side from the settings.</summary>
    protected int LongestEdge(ImageSizeConfig? size, string key) =>
        size?.LongestEdge is { } edge and >= 1 and <= 1 << 14 ? (int)edge
        : size is { Height: { } height, Width: { } width } ? Math.Max(height, width)
        : throw new InvalidModelException(Config.Source, key, "expected longest_edge, at most 16384");
}
