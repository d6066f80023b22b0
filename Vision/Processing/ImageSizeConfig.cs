namespace Portable.Vision.Processing;

/// <summary>
/// A size as image processors store it: an object with some of these keys, or one number for a square. What the edges
/// mean depends on the processor: pixels, or for the Qwen-VL processors numbers of pixels in the whole image.
/// </summary>
internal sealed record ImageSizeConfig
{
    /// <summary>Key <c>height</c>.</summary>
    public int? Height { get; init; }

    /// <summary>Key <c>width</c>.</summary>
    public int? Width { get; init; }

    /// <summary>Key <c>shortest_edge</c>.</summary>
    public long? ShortestEdge { get; init; }

    /// <summary>Key <c>longest_edge</c>.</summary>
    public long? LongestEdge { get; init; }
}
