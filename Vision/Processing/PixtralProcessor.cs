using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>Pixtral's and Mistral-3's images: any size in whole tokens, the longer side bounded.</summary>
internal sealed class PixtralProcessor : TileProcessor
{
    private readonly int _longest, _token;

    public PixtralProcessor(ImageProcessorConfig config, long? mostPixels = null) : base(config, ResampleFilter.Bicubic, ClipMean, ClipStd)
    {
        _longest = LongestEdge(config.Size ?? new ImageSizeConfig { LongestEdge = 1024 }, "size");
        _token = config.PatchSize ?? 16;
        if (mostPixels is { } most)
            _longest = Math.Min(_longest, Math.Max(1, (int)Math.Min(Math.Sqrt(most) / _token, 1 << 14)) * _token);
    }

    /// <summary>Pixels of a token's side.</summary>
    public int TokenSize => _token;

    public override int MostTiles => 1;

    public override long MostTilePixels => (long)(_longest + _token) * (_longest + _token);

    public override TiledImage Cut(RgbImage image, int threads = -1)
    {
        (int height, int width) = TileSizes.Pixtral(image.Height, image.Width, _longest, _token);
        if (height == 0 || width == 0)
        {
            throw new InvalidInputException(
                "image", $"{image.Width} x {image.Height} pixels leave nothing of the shorter side at {_longest} pixels of the longer one; crop it");
        }

        return new([Tiling.Resize(image, height, width, Filter, threads)], 1, 1, false, image.Height, image.Width);
    }
}
