namespace Portable.Decoding.Tokenization;

/// <summary>A piece is a token or unknown.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, int unknownId) : TokenModel(vocabulary)
{
    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids) =>
        ids.Add(Vocabulary.TryGetId(piece, out int id) ? id : unknownId);
}
