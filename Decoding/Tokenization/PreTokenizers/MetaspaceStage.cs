using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>Where the mark of a blank is put before a piece that has none.</summary>
internal enum PrependScheme
{
    Always,

    /// <summary>Only where the whole text begins.</summary>
    First,
    Never,
}

/// <summary>Writes blanks as a visible mark (U+2581), perhaps with one in front, perhaps split before each.</summary>
internal sealed class MetaspaceStage(char mark, PrependScheme prepend, bool split) : PieceStage
{
    public override void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(piece.Length + 1);
        bool marked = piece[0] == mark || piece[0] == ' ';
        int prefix = !marked && (prepend == PrependScheme.Always || (prepend == PrependScheme.First && atStart)) ? 1 : 0;
        rented[0] = mark;
        Span<char> text = rented.AsSpan(0, piece.Length + prefix);
        piece.CopyTo(text[prefix..]);
        text.Replace(' ', mark);
        if (split)
            Split(text, atStart, ids);
        else
            Emit(text, atStart, ids);
        ArrayPool<char>.Shared.Return(rented);
    }

    private void Split(ReadOnlySpan<char> text, bool atStart, List<int> ids)
    {
        // A mark belongs to the text behind it; of several in a row only the last does, the others stand alone.
        int start = 0;
        for (int at = 1; at < text.Length; at++)
        {
            if (text[at] != mark)
                continue;
            Emit(text[start..at], atStart && start == 0, ids);
            start = at;
        }

        Emit(text[start..], atStart && start == 0, ids);
    }
}
