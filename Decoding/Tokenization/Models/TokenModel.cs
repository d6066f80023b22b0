namespace Portable.Decoding.Tokenization;

/// <summary>Turns a piece of text into ids: the last step of the chain. Thread-safe.</summary>
internal abstract class TokenModel(Vocabulary vocabulary) : PieceStage
{
    public Vocabulary Vocabulary { get; } = vocabulary;
}
