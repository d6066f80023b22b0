using System.Buffers;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// The row of tokens with the greatest sum of scores (Kudo, arXiv 1804.10959), found by dynamic programming over the
/// text; unknown characters cost 10 below the least score, those in a row are one.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly int _unknownId;
    private readonly int[]? _byteTokens;
    private readonly CharTrie _trie;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="scores">Their scores, by id.</param>
    /// <param name="unknownId">The token of unknown characters.</param>
    /// <param name="byteFallback">Whether unknown characters are written as byte tokens, where there are all of them.</param>
    /// <param name="usable">Which ids text may become; null: all.</param>
    public UnigramModel(
        Vocabulary vocabulary, double[] scores, int unknownId, bool byteFallback, Func<int, bool>? usable = null) : base(vocabulary)
    {
        _scores = scores;
        _unknownId = unknownId;
        if (byteFallback)
            _byteTokens = vocabulary.ByteTokens();
        _trie = new CharTrie();
        double least = double.PositiveInfinity;
        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (usable is not null && !usable(id))
                continue;
            least = Math.Min(least, scores[id]);
            if (vocabulary[id] is { Length: > 0 } text)
                _trie.Add(text, id);
        }

        _unknownScore = (double.IsFinite(least) ? least : 0) - UnknownPenalty;
    }

    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        int n = piece.Length;
        double[] best = ArrayPool<double>.Shared.Rent(n + 1);
        int[] links = ArrayPool<int>.Shared.Rent(2 * (n + 1));
        Span<int> from = links.AsSpan(0, n + 1);
        Span<int> with = links.AsSpan(n + 1, n + 1);
        from.Fill(-1);
        best[0] = 0;
        for (int at = 0, length; at < n; at += length)
        {
            CodePoints.At(piece, at, out length);
            bool single = false;
            int node = CharTrie.Root;
            for (int end = at; end < n && _trie.TryStep(ref node, piece[end]);)
            {
                end++;
                int id = _trie.ValueOf(node);
                if (id < 0)
                    continue;
                Offer(at, end, best[at] + _scores[id], id, best, from, with);
                single |= end - at == length;
            }

            if (!single)
                Offer(at, at + length, best[at] + _unknownScore, _unknownId, best, from, with);
        }

        // Read back from the end; what is unknown in a row is one part.
        int mark = ids.Count;
        for (int end = n; end > 0;)
        {
            int start = from[end];
            if (with[end] == _unknownId)
            {
                while (start > 0 && with[start] == _unknownId)
                    start = from[start];
                AddBackwards(piece[start..end], ids);
            }
            else
            {
                ids.Add(with[end]);
            }

            end = start;
        }

        ids.Reverse(mark, ids.Count - mark);
        ArrayPool<double>.Shared.Return(best);
        ArrayPool<int>.Shared.Return(links);
    }

    private static void Offer(
        int start, int end, double score, int id, double[] best, Span<int> from, Span<int> with)
    {
        if (from[end] >= 0 && score <= best[end])
            return;
        best[end] = score;
        from[end] = start;
        with[end] = id;
    }

    private void AddBackwards(ReadOnlySpan<char> part, List<int> ids)
    {
        if (Vocabulary.TryGetId(part, out int id))
        {
            ids.Add(id);
            return;
        }

        if (_byteTokens is not null)
        {
            byte[] utf8 = ArrayPool<byte>.Shared.Rent(part.Length * 3);
            int count = Encoding.UTF8.GetBytes(part, utf8);
            bool all = true;
            for (int i = 0; i < count; i++)
                all &= _byteTokens[utf8[i]] >= 0;
            for (int i = count - 1; all && i >= 0; i--)
                ids.Add(_byteTokens[utf8[i]]);
            ArrayPool<byte>.Shared.Return(utf8);
            if (all)
                return;
        }

        ids.Add(_unknownId);
    }
}
