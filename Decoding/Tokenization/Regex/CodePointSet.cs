namespace Portable.Decoding.Tokenization;

/// <summary>A set of code points, made of ranges, general categories and other sets, perhaps inverted. Immutable once used.</summary>
internal sealed class CodePointSet
{
    private readonly List<(int First, int Last)> _ranges = [];
    private readonly List<CodePointSet> _parts = [];
    private uint _categories;
    private bool _inverted;
    private ulong _asciiLow;
    private ulong _asciiHigh;
    private ulong[]? _plane;

    public ulong AsciiLow => _asciiLow;

    public ulong AsciiHigh => _asciiHigh;

    public CodePointSet AddRange(int first, int last)
    {
        _ranges.Add((first, last));
        return this;
    }

    public CodePointSet AddRanges(ReadOnlySpan<(int First, int Last)> ranges)
    {
        foreach ((int first, int last) in ranges)
            _ranges.Add((first, last));
        return this;
    }

    public CodePointSet AddCategories(uint mask)
    {
        _categories |= mask;
        return this;
    }

    public CodePointSet Add(CodePointSet part)
    {
        _parts.Add(part);
        return this;
    }

    public CodePointSet Invert()
    {
        _inverted = !_inverted;
        return this;
    }

    /// <summary>Adds the other case of every ASCII letter in the set, and the two letters beyond ASCII that fold to one.</summary>
    public CodePointSet AddOtherCases()
    {
        var more = new List<(int, int)>();
        foreach ((int first, int last) in _ranges)
        {
            if (first == last && first >= 128)
            {
                if (System.Text.Rune.TryCreate(first, out System.Text.Rune rune))
                {
                    int lower = System.Text.Rune.ToLowerInvariant(rune).Value;
                    int upper = System.Text.Rune.ToUpperInvariant(rune).Value;
                    more.Add((lower, lower));
                    more.Add((upper, upper));
                }

                continue;
            }

            for (int c = Math.Max(first, 'A'); c <= Math.Min(last, 'z'); c++)
            {
                if (!char.IsAsciiLetter((char)c))
                    continue;
                more.Add((c ^ 0x20, c ^ 0x20));
                if ((c | 0x20) == 's')
                    more.Add((0x17F, 0x17F));
                if ((c | 0x20) == 'k')
                    more.Add((0x212A, 0x212A));
            }
        }

        _ranges.AddRange(more);
        return this;
    }

    /// <summary>Ends the construction: the answers for ASCII are computed once.</summary>
    public CodePointSet Freeze()
    {
        _asciiLow = _asciiHigh = 0;
        for (int c = 0; c < 128; c++)
        {
            if (!Compute(c))
                continue;
            if (c < 64)
                _asciiLow |= 1UL << c;
            else
                _asciiHigh |= 1UL << (c - 64);
        }

        return this;
    }

    public bool Contains(int codePoint)
    {
        if (codePoint < 64)
            return (_asciiLow >> codePoint & 1) != 0;
        if (codePoint < 128)
            return (_asciiHigh >> (codePoint - 64) & 1) != 0;
        if (codePoint > 0xFFFF)
            return Compute(codePoint);
        ulong[] plane = Volatile.Read(ref _plane) ?? BuildPlane();
        return (plane[codePoint >> 6] >> (codePoint & 63) & 1) != 0;
    }

    // Two threads may build it at once; both get the same bits, and either copy may stay.
    private ulong[] BuildPlane()
    {
        var plane = new ulong[1024];
        for (int c = 0; c <= 0xFFFF; c++)
        {
            if (Compute(c))
                plane[c >> 6] |= 1UL << (c & 63);
        }

        Volatile.Write(ref _plane, plane);
        return plane;
    }

    private bool Compute(int codePoint)
    {
        bool found = _categories != 0 && CodePoints.HasCategory(codePoint, _categories);
        for (int i = 0; !found && i < _ranges.Count; i++)
            found = codePoint >= _ranges[i].First && codePoint <= _ranges[i].Last;
        for (int i = 0; !found && i < _parts.Count; i++)
            found = _parts[i].Compute(codePoint);
        return found != _inverted;
    }
}
