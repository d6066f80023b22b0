using Portable.Checkpoints;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>Hands the vocabulary in GGUF metadata to the tokenizer.</summary>
internal static class GgufVocabularyReader
{
    private const string Prefix = "tokenizer.ggml.";

    public static GgufVocabulary Read(Checkpoint checkpoint, CompiledVocabulary? compiled)
    {
        GgufMetadata metadata = checkpoint.Metadata!;
        return new GgufVocabulary
        {
            Model = metadata.GetString(Prefix + "model"),
            Pre = metadata.TryGetString(Prefix + "pre", out string? pre) ? pre : null,
            Architecture = metadata.TryGetString("general.architecture", out string? architecture) ? architecture : null,
            Tokens = metadata.GetStringArray(Prefix + "tokens"),
            Scores = metadata.TryGetFloatArray(Prefix + "scores", out float[]? scores) ? scores : null,
            CompiledMerges = compiled?.Merges,
            Merges = compiled is null && metadata.TryGetStringArray(Prefix + "merges", out string[]? merges) ? merges : null,
            TokenTypes = metadata.TryGetInt32Array(Prefix + "token_type", out int[]? types) ? types : null,
            BosId = Id("bos_token_id"),
            EosId = Id("eos_token_id"),
            UnknownId = Id("unknown_token_id"),
            AddBos = Flag("add_bos_token"),
            AddEos = Flag("add_eos_token"),
            AddSpacePrefix = Flag("add_space_prefix"),
        };

        int? Id(string key) => metadata.TryGetInt32(Prefix + key, out int id) ? id : null;

        bool? Flag(string key) => metadata.TryGetBoolean(Prefix + key, out bool flag) ? flag : null;
    }
}
