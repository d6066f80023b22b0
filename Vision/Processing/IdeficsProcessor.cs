using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>The tiles of Idefics-3 and SmolVLM: the longer side to a length, both to whole tiles, and last the whole image as one tile.</summary>
internal sealed class IdeficsProcessor : TileProcessor
{
    private readonly int _longest, _tile;
    private readonly bool _isSplit;

    public IdeficsProcessor(ImageProcessorConfig config, long? mostPixels = null) : base(config, ResampleFilter.Lanczos)
    {
        _longest = LongestEdge(config.Size ?? new ImageSizeConfig { LongestEdge = 4 * 364 }, "size");
        _tile = LongestEdge(config.MaxImageSize ?? new ImageSizeConfig { LongestEdge = 364 }, "max_image_size");
        _isSplit = config.DoImageSplitting ?? true;
        if (mostPixels is not null)
            _longest = Math.Min(_longest, Math.Max(1, (int)Math.Sqrt(Fitting(mostPixels, MostTilePixels) - 1)) * _tile);
    }

    public override int MostTiles
    {
        get
        {
            int side = (Math.Min(_longest, 4096) + _tile - 1) / _tile;
            return _isSplit && side > 1 ? (side * side) + 1 : 1;
        }
    }

    public override long MostTilePixels => (long)_tile * _tile;

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int height, int width) = TileSizes.WithLongestEdge(image.Height, image.Width, _longest);
        RgbImage resized = Tiling.Resize(image, height, width, Filter, threads);
        if (!_isSplit)
            return new([Tiling.Resize(resized, _tile, _tile, Filter, threads)], 0, 0, false, image.Height, image.Width);
        (height, width) = TileSizes.WholeTiles(height, width, _tile);
        resized = Tiling.Resize(resized, height, width, Filter, threads);
        int rows = height / _tile, columns = width / _tile;
        if (rows * columns == 1)
            return new([resized], 0, 0, false, image.Height, image.Width);
        return new([.. Tiling.Cut(resized, _tile, _tile), Tiling.Resize(resized, _tile, _tile, Filter, threads)], rows, columns, true, image.Height, image.Width);
    }
}
