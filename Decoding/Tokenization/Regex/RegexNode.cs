namespace Portable.Decoding.Tokenization;

/// <summary>A parsed pattern.</summary>
internal abstract record RegexNode
{
    /// <summary>One code point of the set.</summary>
    public sealed record One(CodePointSet Set) : RegexNode;

    public sealed record Sequence(IReadOnlyList<RegexNode> Parts) : RegexNode;

    public sealed record Choice(IReadOnlyList<RegexNode> Branches) : RegexNode;

    /// <summary>Max is -1 where there is no bound.</summary>
    public sealed record Repeat(RegexNode Body, int Min, int Max, RepeatKind Kind) : RegexNode;

    public sealed record Look(RegexNode Body, bool Negative) : RegexNode;

    public sealed record Atomic(RegexNode Body) : RegexNode;

    public sealed record Assert(RegexOp Kind) : RegexNode;

    /// <summary>Whether the node can match without consuming anything.</summary>
    public bool Nullable => this switch
    {
        One => false,
        Sequence s => s.Parts.All(p => p.Nullable),
        Choice c => c.Branches.Any(b => b.Nullable),
        Repeat r => r.Min == 0 || r.Body.Nullable,
        Atomic a => a.Body.Nullable,
        _ => true,
    };

    /// <summary>The ASCII characters that a non-empty match can begin with.</summary>
    public (ulong Low, ulong High) First()
    {
        switch (this)
        {
            case One one:
                return (one.Set.AsciiLow, one.Set.AsciiHigh);
            case Repeat repeat:
                return repeat.Body.First();
            case Atomic atomic:
                return atomic.Body.First();
            case Choice choice:
                (ulong Low, ulong High) any = default;
                foreach (RegexNode branch in choice.Branches)
                {
                    (ulong low, ulong high) = branch.First();
                    any = (any.Low | low, any.High | high);
                }

                return any;
            case Sequence sequence:
                (ulong Low, ulong High) first = default;
                foreach (RegexNode part in sequence.Parts)
                {
                    (ulong low, ulong high) = part.First();
                    first = (first.Low | low, first.High | high);
                    if (!part.Nullable)
                        break;
                }

                return first;
            default:
                return default;
        }
    }
}

/// <summary>How a repetition gives back what it took.</summary>
internal enum RepeatKind
{
    Greedy,
    Lazy,
    Possessive,
}
