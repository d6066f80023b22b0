using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>Gemma-3's images: the whole one at a fixed size, its aspect ratio not kept; with pan and scan crops of long ones besides.</summary>
internal sealed class Gemma3Processor : TileProcessor
{
    private readonly (int Height, int Width) _size;

    public Gemma3Processor(ImageProcessorConfig config) : base(config, ResampleFilter.Bilinear) =>
        _size = TileSize(config.Size ?? new ImageSizeConfig { Height = 224, Width = 224 }, "size");

    public override int MostTiles => 1 + (Config.DoPanAndScan ?? false ? MostCrops : 0);

    public override long MostTilePixels => (long)_size.Height * _size.Width;

    private int MostCrops => Config.PanAndScanMaxNumCrops ?? 4;

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int rows, int columns) = Config.DoPanAndScan ?? false
            ? TileSizes.Crops(image.Height, image.Width, Config.PanAndScanMinCropSize ?? 256, MostCrops, Config.PanAndScanMinRatioToActivate ?? 1.2)
            : (0, 0);
        var tiles = new List<RgbImage> { Tiling.Resize(image, _size.Height, _size.Width, Filter, threads) };
        if (rows > 0)
        {
            int height = (int)Math.Ceiling((double)image.Height / rows), width = (int)Math.Ceiling((double)image.Width / columns);
            for (int i = 0; i < rows * columns; i++)
            {
                int top = i / columns * height, left = i % columns * width;
                RgbImage crop = Tiling.Part(image, top, left, Math.Min(height, image.Height - top), Math.Min(width, image.Width - left));
                tiles.Add(Tiling.Resize(crop, _size.Height, _size.Width, Filter, threads));
            }
        }

        return new(tiles, rows, columns, true, image.Height, image.Width);
    }
}
