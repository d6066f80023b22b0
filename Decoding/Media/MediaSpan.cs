namespace Portable.Decoding;

/// <summary>The grid of an image's tokens: frames, rows and columns after merging.</summary>
/// <param name="Frames">Temporal steps; 1 for a still image.</param>
/// <param name="Rows">Rows of tokens.</param>
/// <param name="Columns">Columns of tokens.</param>
public readonly record struct TokenGrid(int Frames, int Rows, int Columns)
{
    /// <summary>How far the positions of two frames lie apart.</summary>
    public int FrameStep { get; init; } = 1;

    /// <summary>Tokens of the grid.</summary>
    public int Count => Frames * Rows * Columns;
}

/// <summary>A run of image tokens inside a prompt.</summary>
/// <param name="Start">Its first token.</param>
/// <param name="Length">Its tokens.</param>
/// <param name="Grid">Rows and columns of the tokens.</param>
/// <param name="ContentHash">Hash of what the tokens show: two spans with equal hash and grid are interchangeable.</param>
public readonly record struct MediaSpan(int Start, int Length, TokenGrid Grid, UInt128 ContentHash)
{
    /// <summary>Which image of the prompt it shows.</summary>
    public int Image { get; init; }

    /// <summary>The first row of the image's features that it shows: an image may stand in several runs, with text between.</summary>
    public int FirstRow { get; init; }
}

/// <summary>The images of a prompt with their features on the device.</summary>
/// <param name="Spans">Where they are, counted from the first token handed over with them.</param>
/// <param name="Features">Per image [tokens, hidden], activation type.</param>
/// <param name="LayerFeatures">Per layer from 0, per image: features added after the layer; may be empty.</param>
internal sealed record PromptMedia(
    IReadOnlyList<MediaSpan> Spans, IReadOnlyList<TensorView> Features, IReadOnlyList<IReadOnlyList<TensorView>> LayerFeatures);
