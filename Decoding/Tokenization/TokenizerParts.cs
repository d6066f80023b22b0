namespace Portable.Decoding.Tokenization;

/// <summary>What a reader of a vocabulary hands over to build a <see cref="Tokenizer"/>.</summary>
internal sealed class TokenizerParts
{
    public required Vocabulary Vocabulary { get; init; }

    public required TokenModel Model { get; init; }

    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public Normalizer? Normalizer { get; init; }

    /// <summary>The steps between text and model, in order.</summary>
    public IReadOnlyList<PieceStage> PreTokenizers { get; init; } = [];

    /// <summary>The ids around a text; <see cref="TextPlace"/> stands for the text's own.</summary>
    public IReadOnlyList<int> Template { get; init; } = [TextPlace];

    /// <summary>The steps from tokens to text, in order.</summary>
    public IReadOnlyList<DecoderStageFactory> Decoders { get; init; } = [];

    /// <summary>Whether tokens are written in the byte alphabet.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Whether tokens <c>&lt;0xNN&gt;</c> are decoded as bytes.</summary>
    public bool ByteFallback { get; init; }

    public const int TextPlace = -1;
}
