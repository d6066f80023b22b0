using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// The tiles of LLaVA-NeXT and LLaVA-OneVision ("anyres"): first the whole image as one tile, then the tiles of the listed resolution that keeps
/// most of it, the image in its middle on black.
/// </summary>
internal sealed class LlavaProcessor : TileProcessor
{
    private readonly int _tile;
    private readonly IReadOnlyList<(int Height, int Width)> _resolutions;

    public LlavaProcessor(ImageProcessorConfig config, long? mostPixels = null) : base(config, ResampleFilter.Bicubic, ClipMean, ClipStd)
    {
        (int height, int width) = TileSize(config.Size, "size");
        _tile = height;
        _resolutions = config.ImageGridPinpoints is { Count: > 0 } listed
            ? listed
            : throw new InvalidModelException(config.Source, "image_grid_pinpoints", "absent or empty, and it lists the resolutions that images are brought to");
        if (height != width)
            throw new InvalidModelException(config.Source, "size", $"expected a square tile, found {width} x {height}");
        foreach ((int h, int w) in _resolutions)
        {
            if (h % _tile != 0 || w % _tile != 0)
                throw new InvalidModelException(config.Source, "image_grid_pinpoints", $"{h} x {w} is not made of tiles of {_tile}");
        }

        long most = Fitting(mostPixels, MostTilePixels) - 1L, least = _resolutions.Min(Tiles);
        _resolutions = [.. _resolutions.Where(r => Tiles(r) <= Math.Max(most, least))];

        long Tiles((int Height, int Width) resolution) => (long)(resolution.Height / _tile) * (resolution.Width / _tile);
    }

    public override int MostTiles => 1 + _resolutions.Max(r => r.Height / _tile * (r.Width / _tile));

    public override long MostTilePixels => (long)_tile * _tile;

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int height, int width) = TileSizes.BestResolution(image.Height, image.Width, _resolutions);
        (int innerHeight, int innerWidth) = TileSizes.Inside(image.Height, image.Width, (height, width));
        RgbImage inner = Tiling.Resize(image, innerHeight, innerWidth, Filter, threads);
        RgbImage padded = Tiling.Part(inner, -((height - innerHeight) / 2), -((width - innerWidth) / 2), height, width);
        return new(
            [Tiling.Resize(image, _tile, _tile, Filter, threads), .. Tiling.Cut(padded, _tile, _tile)], height / _tile, width / _tile, true,
            image.Height, image.Width);
    }
}
