namespace Portable.Decoding.Tokenization;

/// <summary>
/// Remembers the ids of pieces met before. A fixed number of places, each piece in one of them, the last one stays:
/// bounded, without locks, and what it forgets is only computed again.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Longer pieces seldom come again.</summary>
    public const int LongestPiece = 64;

    private const int Places = 1 << 14;
    private readonly Entry?[] _entries = new Entry?[Places];

    public static int PlaceOf(ReadOnlySpan<char> piece) => string.GetHashCode(piece) & (Places - 1);

    public bool TryGet(int place, ReadOnlySpan<char> piece, List<int> ids)
    {
        Entry? entry = Volatile.Read(ref _entries[place]);
        if (entry is null || !piece.SequenceEqual(entry.Piece))
            return false;
        if (entry.Ids.Length == 1)
            ids.Add(entry.Ids[0]);
        else
            ids.AddRange(entry.Ids.AsSpan());
        return true;
    }

    public void Set(int place, ReadOnlySpan<char> piece, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref _entries[place], new Entry(piece.ToString(), ids.ToArray()));

    private sealed record Entry(string Piece, int[] Ids);
}
