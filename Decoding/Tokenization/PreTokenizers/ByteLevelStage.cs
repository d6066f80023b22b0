using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Writes each piece in the byte alphabet, perhaps with a space before it, perhaps first split by GPT-2's pattern.
/// </summary>
internal sealed class ByteLevelStage(bool addPrefixSpace, bool useRegex) : PieceStage
{
    /// <summary>openai/gpt-2, encoder.py.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly TextPattern? _pattern = useRegex ? new TextPattern(new TokenRegex(Gpt2Pattern)) : null;

    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        if (!addPrefixSpace || piece.StartsWith(' '))
        {
            Split(piece, atStart, ids);
            return;
        }

        char[] prefixed = ArrayPool<char>.Shared.Rent(piece.Length + 1);
        prefixed[0] = ' ';
        piece.CopyTo(prefixed.AsSpan(1));
        Split(prefixed.AsSpan(0, piece.Length + 1), atStart, ids);
        ArrayPool<char>.Shared.Return(prefixed);
    }

    private void Split(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        if (_pattern is null)
        {
            Write(piece, atStart, ids);
            return;
        }

        int done = 0;
        TextPattern.MatchEnumerator matches = _pattern.Matches(piece);
        while (matches.MoveNext())
        {
            Write(piece[done..matches.Start], atStart && done == 0, ids);
            Write(piece[matches.Start..matches.End], atStart && matches.Start == 0, ids);
            done = matches.End;
        }

        Write(piece[done..], atStart && done == 0, ids);
    }

    private void Write(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        if (piece.IsEmpty)
            return;
        if (piece.Length <= 100)
        {
            Span<char> small = stackalloc char[300];
            Emit(small[..ByteAlphabet.Encode(piece, small)], atStart, ids);
            return;
        }

        char[] written = ArrayPool<char>.Shared.Rent(piece.Length * 3);
        Emit(written.AsSpan(0, ByteAlphabet.Encode(piece, written)), atStart, ids);
        ArrayPool<char>.Shared.Return(written);
    }
}
