using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>InternVL's tiles: the grid nearest in aspect ratio, and last the whole image where there is more than one. transformers calls it GotOcr2ImageProcessor.</summary>
internal sealed class InternVlProcessor : TileProcessor
{
    private readonly (int Height, int Width) _tile;
    private readonly int _least, _most;

    public InternVlProcessor(ImageProcessorConfig config, long? mostPixels = null) : base(config, ResampleFilter.Bicubic, ClipMean, ClipStd)
    {
        _tile = TileSize(config.Size ?? new ImageSizeConfig { Height = 384, Width = 384 }, "size");
        bool isCut = config.CropToPatches ?? false;
        _least = isCut ? config.MinPatches ?? 1 : 1;
        _most = isCut ? config.MaxPatches ?? 12 : 1;
        if (_least > _most)
            throw new InvalidModelException(config.Source, "min_patches", $"{_least} is more than max_patches, {_most}");
        // The whole image is a tile too.
        _most = Math.Max(1, Math.Min(_most, Fitting(mostPixels, MostTilePixels) - 1));
        _least = Math.Min(_least, _most);
    }

    public override int MostTiles => _most == 1 ? 1 : _most + 1;

    public override long MostTilePixels => (long)_tile.Height * _tile.Width;

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int columns, int rows) = TileSizes.NearestGrid(image.Height, image.Width, _tile.Height, _tile.Width, _least, _most);
        RgbImage whole = Tiling.Resize(image, rows * _tile.Height, columns * _tile.Width, Filter, threads);
        List<RgbImage> tiles = rows * columns == 1 ? [whole] : [.. Tiling.Cut(whole, _tile.Height, _tile.Width)];
        bool hasOverview = tiles.Count > 1;
        if (hasOverview)
            tiles.Add(Tiling.Resize(image, _tile.Height, _tile.Width, Filter, threads));
        return new(tiles, rows, columns, hasOverview, image.Height, image.Width);
    }
}
