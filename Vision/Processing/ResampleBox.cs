using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>The part of the source that a resize maps to the whole output, in source pixels; edges may be fractional.</summary>
internal readonly record struct ResampleBox(double Left, double Top, double Right, double Bottom)
{
    /// <summary>The whole of an image.</summary>
    public static ResampleBox Whole(in PixelBuffer image) => new(0, 0, image.Width, image.Height);
}
