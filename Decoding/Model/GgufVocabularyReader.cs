using Portable.Checkpoints;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>Hands the vocabulary in GGUF metadata to the tokenizer.</summary>
internal static class GgufVocabularyReader
{
    public static GgufVocabulary Read(Checkpoint checkpoint) => throw new NotImplementedException();
}
