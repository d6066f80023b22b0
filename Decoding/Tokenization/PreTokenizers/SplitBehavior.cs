namespace Portable.Decoding.Tokenization;

/// <summary>What becomes of the matches when a text is split at them.</summary>
internal enum SplitBehavior
{
    /// <summary>Each match is a piece.</summary>
    Isolated,

    /// <summary>Matches vanish.</summary>
    Removed,

    /// <summary>Matches side by side are one piece.</summary>
    Contiguous,

    /// <summary>A match belongs to the text before it.</summary>
    MergedWithPrevious,

    /// <summary>A match belongs to the text behind it.</summary>
    MergedWithNext,
}
