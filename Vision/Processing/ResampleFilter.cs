namespace Portable.Vision.Processing;

/// <summary>Resampling filters, numbered as Pillow's <c>Resampling</c> enumeration, which preprocessor files store.</summary>
internal enum ResampleFilter
{
    /// <summary>Copies the nearest source pixel.</summary>
    Nearest = 0,

    /// <summary>Windowed sinc over three source pixels on each side.</summary>
    Lanczos = 1,

    /// <summary>Triangle over one source pixel on each side.</summary>
    Bilinear = 2,

    /// <summary>Cubic convolution with a = -0.5 over two source pixels on each side.</summary>
    Bicubic = 3,

    /// <summary>Mean over half a source pixel on each side.</summary>
    Box = 4,

    /// <summary>Hamming-windowed sinc over one source pixel on each side.</summary>
    Hamming = 5,
}
