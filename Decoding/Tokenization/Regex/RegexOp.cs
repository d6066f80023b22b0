namespace Portable.Decoding.Tokenization;

/// <summary>The steps of a compiled pattern.</summary>
internal enum RegexOp
{
    /// <summary>One code point of the set.</summary>
    One,

    /// <summary>A to B code points of the set (B is -1: any number), as many as possible, given back one by one.</summary>
    Greedy,

    /// <summary>As Greedy, as few as possible.</summary>
    Lazy,

    /// <summary>As Greedy, and nothing is given back.</summary>
    Possessive,

    /// <summary>Goes on at A, and at B if that fails.</summary>
    Split,

    /// <summary>Goes on at A.</summary>
    Jump,

    /// <summary>The steps behind it must match here; goes on at A.</summary>
    Look,

    /// <summary>The steps behind it must not match here; goes on at A.</summary>
    NegativeLook,

    /// <summary>The steps behind it match once and for all; goes on at A.</summary>
    Atomic,
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrNewline,
    WordBoundary,
    NotWordBoundary,

    /// <summary>The end of the pattern, or of a part of it.</summary>
    Match,
}
