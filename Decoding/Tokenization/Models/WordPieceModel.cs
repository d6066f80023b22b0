namespace Portable.Decoding.Tokenization;

/// <summary>
/// Takes the longest token again and again; all but the first carry a prefix in the vocabulary. A word that can't be
/// written to its end, or is too long, is unknown as a whole (google-research/bert, tokenization.py).
/// </summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly CharTrie _trie = new();
    private readonly int _continuing = CharTrie.Root;
    private readonly bool _canContinue = true;
    private readonly int _unknownId;
    private readonly int _longestWord;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="unknownId">The token of words that can't be written.</param>
    /// <param name="prefix">What tokens carry that go on with a word.</param>
    /// <param name="longestWord">How many characters a word may have.</param>
    public WordPieceModel(Vocabulary vocabulary, int unknownId, string prefix, int longestWord) : base(vocabulary)
    {
        _unknownId = unknownId;
        _longestWord = longestWord;
        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary[id] is { Length: > 0 } text && vocabulary.TryGetId(text, out int own) && own == id)
                _trie.Add(text, id);
        }

        foreach (char c in prefix)
            _canContinue = _canContinue && _trie.TryStep(ref _continuing, c);
    }

    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        int before = ids.Count;
        if (TooLong(piece) || !TryWord(piece, ids))
        {
            ids.RemoveRange(before, ids.Count - before);
            ids.Add(_unknownId);
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

        return length > _longestWord;
    }

    private bool TryWord(ReadOnlySpan<char> word, List<int> ids)
    {
        for (int start = 0; start < word.Length;)
        {
            if (start > 0 && !_canContinue)
                return false;
            int node = start == 0 ? CharTrie.Root : _continuing;
            int id = -1, end = start;
            for (int at = start; at < word.Length && _trie.TryStep(ref node, word[at]); at++)
            {
                if (_trie.ValueOf(node) >= 0)
                    (id, end) = (_trie.ValueOf(node), at + 1);
            }

            if (id < 0)
                return false;
            ids.Add(id);
            start = end;
        }

        return true;
    }
}
