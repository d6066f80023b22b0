using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Byte-pair encoding: a piece is cut into characters, then the neighbours whose merge ranks best are joined, leftmost
/// first, until none can be (Sennrich et al., arXiv 1508.07909). Time grows as n log n with the length of a piece.
/// </summary>
internal sealed class BytePairModel : TokenModel
{
    private const char Mark = '\u2581';
    private readonly MergeTable _merges;
    private readonly PieceCache _cache = new();
    private readonly int[]? _byteTokens;

    // Characters that stand before a blank's mark within a token; null where the vocabulary has no such mark.
    private readonly HashSet<char>? _beforeMark;

    public BytePairModel(Vocabulary vocabulary, MergeTable merges, bool byteFallback) : base(vocabulary)
    {
        _merges = merges;
        if (byteFallback)
            _byteTokens = vocabulary.ByteTokens();
        if (vocabulary.TryGetId([Mark], out _))
            _beforeMark = FindBeforeMark(vocabulary);
    }

    /// <summary>The merges.</summary>
    public MergeTable Merges => _merges;

    /// <summary>A piece that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Unknown characters in a row give one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>The token of what can't be written; -1: such characters vanish.</summary>
    public int UnknownId { get; init; } = -1;

    /// <summary>What every character but the first carries before it in the vocabulary.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>What the last character carries behind it in the vocabulary.</summary>
    public string WordSuffix { get; init; } = "";

    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        if (IgnoreMerges && Vocabulary.TryGetId(piece, out int whole))
        {
            ids.Add(whole);
            return;
        }

        if (_beforeMark is null || ContinuingPrefix.Length + WordSuffix.Length > 0)
        {
            Word(piece, ids);
            return;
        }

        // Where no token has this character before a mark, no merge reaches across: the two sides are merged each on its
        // own, with the same result, and words come from the cache. A character that is no token becomes bytes or the
        // unknown token, which may well be merged.
        int start = 0;
        for (int at = 1; at < piece.Length; at++)
        {
            int next = piece[at..].IndexOf(Mark);
            if (next < 0)
                break;
            at += next;
            char before = piece[at - 1];
            if (before == Mark || char.IsSurrogate(before) || _beforeMark.Contains(before) || !Vocabulary.TryGetId([before], out _))
                continue;
            Word(piece[start..at], ids);
            start = at;
        }

        Word(piece[start..], ids);
    }

    private static HashSet<char> FindBeforeMark(Vocabulary vocabulary)
    {
        var found = new HashSet<char>();
        for (int id = 0; id < vocabulary.Size; id++)
        {
            ReadOnlySpan<char> text = vocabulary[id];
            for (int at = 1; at < text.Length; at++)
            {
                if (text[at] == Mark)
                    found.Add(text[at - 1]);
            }
        }

        return found;
    }

    private void Word(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > PieceCache.LongestPiece)
        {
            Merge(piece, ids);
            return;
        }

        int place = PieceCache.PlaceOf(piece);
        if (_cache.TryGet(place, piece, ids))
            return;
        int before = ids.Count;
        Merge(piece, ids);
        _cache.Set(place, piece, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    private void Merge(ReadOnlySpan<char> piece, List<int> ids)
    {
        // One character gives at most three byte tokens (four for two UTF-16 halves), and one unknown token may be
        // pending beside them.
        int capacity = piece.Length * (_byteTokens is null ? 1 : 3) + 1;
        int[] symbols = ArrayPool<int>.Shared.Rent(capacity * 3);
        Span<int> tokens = symbols.AsSpan(0, capacity);
        int count = Characters(piece, tokens);
        if (count > 1)
        {
            Merge(tokens[..count], symbols.AsSpan(capacity, count), symbols.AsSpan(2 * capacity, count));
        }

        for (int i = 0; i < count; i++)
        {
            if (tokens[i] >= 0)
                ids.Add(tokens[i]);
        }

        ArrayPool<int>.Shared.Return(symbols);
    }

    private void Merge(Span<int> tokens, Span<int> previous, Span<int> next)
    {
        int count = tokens.Length;
        var queue = new MergeQueue(count);
        for (int i = 0; i < count; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1;
            if (i + 1 < count && _merges.TryGet(tokens[i], tokens[i + 1], out int rank, out int result))
                queue.Push(rank, i, result);
        }

        while (queue.TryPop(out int at, out int result))
        {
            int right = next[at];

            // The symbols here may have been merged since the entry was made.
            if (tokens[at] < 0 || right >= count
                || !_merges.TryGet(tokens[at], tokens[right], out _, out int now) || now != result)
            {
                continue;
            }

            tokens[at] = result;
            tokens[right] = -1;
            int after = next[right];
            next[at] = after;
            if (after < count)
            {
                previous[after] = at;
                if (_merges.TryGet(result, tokens[after], out int rank, out int joined))
                    queue.Push(rank, at, joined);
            }

            int before = previous[at];
            if (before >= 0 && _merges.TryGet(tokens[before], result, out int leftRank, out int leftJoined))
                queue.Push(leftRank, before, leftJoined);
        }

        queue.Dispose();
    }

    private int Characters(ReadOnlySpan<char> piece, Span<int> tokens)
    {
        int count = 0;
        bool unknown = false;
        bool affixes = ContinuingPrefix.Length + WordSuffix.Length > 0;
        for (int at = 0, length; at < piece.Length; at += length)
        {
            CodePoints.At(piece, at, out length);
            ReadOnlySpan<char> character = piece.Slice(at, length);
            if (affixes)
                character = (at > 0 ? ContinuingPrefix : "") + character.ToString() + (at + length == piece.Length ? WordSuffix : "");
            if (Vocabulary.TryGetId(character, out int id))
            {
                if (unknown)
                    tokens[count++] = UnknownId;
                unknown = false;
                tokens[count++] = id;
                continue;
            }

            if (_byteTokens is not null && !affixes && TryBytes(character, tokens[count..], out int bytes))
            {
                count += bytes;
                continue;
            }

            if (UnknownId < 0)
                continue;
            if (unknown && !FuseUnknown)
                tokens[count++] = UnknownId;
            unknown = true;
        }

        if (unknown)
            tokens[count++] = UnknownId;
        return count;
    }

    private bool TryBytes(ReadOnlySpan<char> character, Span<int> tokens, out int count)
    {
        Span<byte> utf8 = stackalloc byte[4];
        count = Encoding.UTF8.GetBytes(character, utf8);
        for (int i = 0; i < count; i++)
        {
            int id = _byteTokens![utf8[i]];
            if (id < 0)
                return false;
            tokens[i] = id;
        }

        return true;
    }
}
