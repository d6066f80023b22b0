using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Portable;
using Portable.Decoding;
using Portable.Vision;
using Portable.Vision.Images;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds vision to an application.</summary>
public static class VisionPortableBuilderExtensions
{
    /// <summary>
    /// Lets vision-language models look at images given as DataContent. Calls add up. Register an
    /// <see cref="IImageDecoder"/> to read files otherwise than by <see cref="SkiaImageDecoder"/>.
    /// </summary>
    public static IPortableBuilder AddVision(this IPortableBuilder builder, Action<VisionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        OptionsBuilder<VisionOptions> options = builder.Services.AddOptions<VisionOptions>();
        if (configure is not null)
            options.Configure(configure);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<VisionOptions>, Validator>());
        options.ValidateOnStart();
        builder.Services.TryAddSingleton<IImageDecoder, SkiaImageDecoder>();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IImageEncoderFactory, ImageEncoderFactory>(static provider => new(
            provider.GetRequiredService<IImageDecoder>(), provider.GetRequiredService<IOptions<VisionOptions>>().Value)));
        return builder;
    }

    private sealed class Validator : IValidateOptions<VisionOptions>
    {
        public ValidateOptionsResult Validate(string? name, VisionOptions options) =>
            options.Problem() is { } problem ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
    }
}
