using Microsoft.Extensions.DependencyInjection.Extensions;
using Portable;
using Portable.Vision;
using Portable.Vision.Images;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the ImageSharp decoder to an application.</summary>
public static class ImageSharpPortableBuilderExtensions
{
    /// <summary>Lets ImageSharp read image files instead of SkiaSharp, wherever vision is added; see the package's README first.</summary>
    public static IPortableBuilder AddImageSharp(this IPortableBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.Replace(ServiceDescriptor.Singleton<IImageDecoder, ImageSharpImageDecoder>());
        return builder;
    }
}
