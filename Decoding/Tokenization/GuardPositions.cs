namespace Portable.Decoding.Tokenization;

/// <summary>Where guard characters were taken out of a text, as positions in the text that is left.</summary>
internal sealed class GuardPositions
{
    private readonly List<int> _positions;
    private readonly int _origin;

    private GuardPositions(List<int> positions, int origin)
    {
        _positions = positions;
        _origin = origin;
    }

    /// <summary>Takes the guards out; null where there is none.</summary>
    public static GuardPositions? Extract(string guarded, char guard, out string text)
    {
        text = guarded;
        int first = guarded.IndexOf(guard, StringComparison.Ordinal);
        if (first < 0)
            return null;
        var positions = new List<int>();
        var left = new System.Text.StringBuilder(guarded.Length);
        foreach (char c in guarded)
        {
            if (c == guard)
                positions.Add(left.Length);
            else
                left.Append(c);
        }

        text = left.ToString();
        return new GuardPositions(positions, 0);
    }

    /// <summary>The same guards for the part of the text that begins at a position.</summary>
    public GuardPositions From(int start) => new(_positions, _origin + start);

    /// <summary>Whether a guard lay before any of the characters from start to end.</summary>
    public bool Any(int start, int end)
    {
        int index = FirstAt(start + _origin);
        return index < _positions.Count && _positions[index] < end + _origin;
    }

    /// <summary>
    /// Whether a guard lay between the characters from start to end, or, where that is one character (nothing lies
    /// inside it), two guards lay before it.
    /// </summary>
    public bool Inside(int start, int end)
    {
        start += _origin;
        end += _origin;
        int first = FirstAt(start);
        int index = first;
        while (index < _positions.Count && _positions[index] == start)
            index++;
        return index - first >= 2 || (index < _positions.Count && _positions[index] < end);
    }

    private int FirstAt(int position)
    {
        int index = _positions.BinarySearch(position);
        if (index < 0)
            return ~index;
        while (index > 0 && _positions[index - 1] == position)
            index--;
        return index;
    }
}
