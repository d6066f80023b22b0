using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Takes the longest token again and again; all but the first carry a prefix in the vocabulary. A word that can't be
/// written to its end, or is too long, is unknown as a whole (google-research/bert, tokenization.py).
/// </summary>
internal sealed class WordPieceModel(Vocabulary vocabulary, int unknownId, string prefix, int longestWord)
    : TokenModel(vocabulary)
{
    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        int before = ids.Count;
        if (TooLong(piece) || !TryWord(piece, ids))
        {
            ids.RemoveRange(before, ids.Count - before);
            ids.Add(unknownId);
        }
    }

    private bool TooLong(ReadOnlySpan<char> piece)
    {
        int length = piece.Length;
        foreach (char c in piece)
        {
            if (char.IsLowSurrogate(c))
                length--;
        }

        return length > longestWord;
    }

    private bool TryWord(ReadOnlySpan<char> word, List<int> ids)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(prefix.Length + Vocabulary.LongestToken);
        try
        {
            for (int start = 0; start < word.Length;)
            {
                int lead = start == 0 ? 0 : prefix.Length;
                if (lead > 0)
                    prefix.CopyTo(rented);
                int most = Math.Min(word.Length - start, Vocabulary.LongestToken);
                word.Slice(start, most).CopyTo(rented.AsSpan(lead));
                int id = -1;
                while (most > 0 && !Vocabulary.TryGetId(rented.AsSpan(0, lead + most), out id))
                    most--;
                if (most <= 0)
                    return false;
                ids.Add(id);
                start += most;
            }

            return true;
        }
        finally
        {
            ArrayPool<char>.Shared.Return(rented);
        }
    }
}
