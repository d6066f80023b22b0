using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>
/// MiniCPM-V 4.6's slices: the whole image at about one slice's area, then, of larger images, a grid of slices nearest in aspect ratio. Only the
/// preprocessing is here; no tower takes it yet.
/// </summary>
internal sealed class MiniCpmProcessor : TileProcessor
{
    // Patches that the model's two mergers make one token of, on a side.
    private const int Merge = 4;

    private readonly int _scale, _most, _unit;

    public MiniCpmProcessor(ImageProcessorConfig config) : base(config, ResampleFilter.Bicubic)
    {
        _scale = config.ScaleResolution ?? 448;
        _most = config.MaxSlices ?? 9;
        _unit = (config.PatchSize ?? 14) * Merge;
    }

    public override int MostTiles => _most == 1 ? 1 : _most + 2;

    public override long MostTilePixels => (long)(_scale + _unit) * (_scale + _unit) * 4;

    /// <summary>Rows and columns of the slices, (0, 0) for none; the size of the whole image; the size of all slices together.</summary>
    public (int Rows, int Columns, (int Height, int Width) Source, (int Height, int Width) Slices) Plan(int height, int width)
    {
        double area = (double)height * width / ((double)_scale * _scale);
        int count = (int)Math.Min(Math.Ceiling(area), _most);
        if (count <= 1)
            return (0, 0, TileSizes.NearArea(height, width, _scale, _unit, mayGrow: true), default);
        double aspect = Math.Log((double)width / height), nearest = double.PositiveInfinity;
        (int Columns, int Rows) grid = (1, 1);
        for (int slices = count - 1; slices <= count + 1; slices++)
        {
            for (int columns = 1; columns <= slices && slices > 1 && slices <= _most; columns++)
            {
                double difference = slices % columns == 0 ? Math.Abs(aspect - Math.Log((double)columns / (slices / columns))) : double.PositiveInfinity;
                if (difference < nearest)
                    (nearest, grid) = (difference, (columns, slices / columns));
            }
        }

        (int cellHeight, int cellWidth) = TileSizes.NearArea(
            Divided(height, grid.Rows) / grid.Rows, Divided(width, grid.Columns) / grid.Columns, _scale, _unit, mayGrow: true);
        return (grid.Rows, grid.Columns, TileSizes.NearArea(height, width, _scale, _unit, mayGrow: false), (cellHeight * grid.Rows, cellWidth * grid.Columns));

        static int Divided(int side, int by) => Math.Max((int)Math.Round((double)side / by, MidpointRounding.ToEven) * by, by);
    }

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int rows, int columns, (int Height, int Width) source, (int Height, int Width) slices) = Plan(image.Height, image.Width);
        List<RgbImage> tiles = [Tiling.Resize(image, source.Height, source.Width, Filter, threads)];
        if (rows > 0)
            tiles.AddRange(Tiling.Cut(Tiling.Resize(image, slices.Height, slices.Width, Filter, threads), slices.Height / rows, slices.Width / columns));
        return new(tiles, rows, columns, true, image.Height, image.Width);
    }
}
