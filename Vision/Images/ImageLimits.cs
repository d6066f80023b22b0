namespace Portable.Vision.Images;

/// <summary>
/// Caps on untrusted images. All are checked against the file's header before memory for pixels is allocated, so a
/// file of a few bytes cannot ask for gigabytes.
/// </summary>
public sealed record ImageLimits
{
    /// <summary>The limits used where none are given.</summary>
    public static ImageLimits Default { get; } = new();

    /// <summary>Largest encoded file in bytes. Default 64 MiB.</summary>
    public long MaxFileBytes { get; init; } = 64L << 20;

    /// <summary>Largest number of pixels, width times height. Default 64 Mi (67,108,864).</summary>
    public long MaxPixels { get; init; } = 64L << 20;

    /// <summary>Largest width and largest height in pixels. Default 65,535.</summary>
    public int MaxSide { get; init; } = 65_535;

    /// <summary>
    /// Most bytes that decoding one image may hold at a time, working buffers and result together. Default 512 MiB.
    /// </summary>
    public long MaxDecodedBytes { get; init; } = 512L << 20;
}
