namespace Portable.Decoding.Tokenization;

/// <summary>
/// One step on the way from tokens to text. Belongs to one stream. A token may come in several parts; parts are given
/// on as soon as nothing that follows can change them.
/// </summary>
internal abstract class DecoderStage(DecoderStage? next)
{
    protected DecoderStage Next => next!;

    /// <param name="text">A token's text or a part of it; valid during the call only.</param>
    /// <param name="continues">Whether it belongs to the same token as the part before.</param>
    public abstract void Token(ReadOnlySpan<char> text, bool continues);

    /// <summary>The text ends: what is held back goes out.</summary>
    public virtual void End() => next?.End();
}

/// <summary>Makes a step for a new stream, given the step behind it.</summary>
/// <param name="next">The step behind it.</param>
/// <param name="whole">Whether the whole text is decoded at once, so that nothing need be shown early.</param>
internal delegate DecoderStage DecoderStageFactory(DecoderStage next, bool whole);
