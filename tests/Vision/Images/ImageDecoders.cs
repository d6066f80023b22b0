using Portable.Vision;
using Portable.Vision.Images;

namespace Portable.Tests.Vision.Images;

/// <summary>The image decoders that there are: each passes the same goldens, caps and hostile files.</summary>
internal static class ImageDecoders
{
    public static IReadOnlyList<IImageDecoder> All { get; } = [new SkiaImageDecoder(), new ImageSharpImageDecoder()];
}
