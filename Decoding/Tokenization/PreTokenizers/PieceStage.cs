namespace Portable.Decoding.Tokenization;

/// <summary>
/// One step on the way from text to ids: cuts or rewrites a piece of text and hands the parts on, in order, to the next
/// step; the last step is the model. The chain is as deep as the file says, never as the text is long. Thread-safe.
/// </summary>
internal abstract class PieceStage
{
    /// <summary>The step that gets the parts; set once while the tokenizer is built.</summary>
    public PieceStage Next { get; set; } = null!;

    /// <param name="piece">The text; valid during the call only.</param>
    /// <param name="atStart">Whether the piece begins where the whole text begins.</param>
    /// <param name="ids">Gets the ids.</param>
    public abstract void Process(ReadOnlySpan<char> piece, bool atStart, List<int> ids);

    protected void Emit(ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        if (!piece.IsEmpty)
            Next.Process(piece, atStart, ids);
    }
}
