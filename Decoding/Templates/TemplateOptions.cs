namespace Portable.Decoding.Templates;

/// <summary>
/// The clock and the limits of one rendering. The limits bound time and memory whatever the template does; the
/// defaults are far above what conversations of a million tokens need.
/// </summary>
public sealed record TemplateOptions
{
    /// <summary>The options used where none are given.</summary>
    public static TemplateOptions Default { get; } = new();

    /// <summary>Where <c>strftime_now</c> reads the local time.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How many steps a rendering may take: an operation, a statement, a turn of a loop, or 256 characters handled.</summary>
    public long MaxSteps { get; init; } = 2_500_000;

    /// <summary>The longest output, in UTF-16 units.</summary>
    public int MaxOutput { get; init; } = 16 << 20;

    /// <summary>The bytes that all strings, lists and objects made during a rendering may take together.</summary>
    public long MaxMemory { get; init; } = 160L << 20;

    /// <summary>How many levels of nodes may be active at once through macros, callers, recursive loops and nested values.</summary>
    public int MaxDepth { get; init; } = 2000;

    /// <summary>The longest <c>range</c>.</summary>
    public int MaxRange { get; init; } = 100_000;
}
