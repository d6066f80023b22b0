using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// What the names in <c>tokenizer.ggml.pre</c> stand for. A file holds only the name; the patterns are those of the
/// models' own tokenizer.json.
/// </summary>
internal static class GgufPreTokenizers
{
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Blanks = @"\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Llama3 = Contractions
        + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + Blanks;

    private const string Qwen2 = Contractions
        + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + Blanks;

    private const string Qwen35 = Contractions
        + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + Blanks;

    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

    private const string Gpt4o = @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?"
        + Upper + "+" + Lower + "*" + Contractions + @"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Blanks;

    private const string Tekken = @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + @"+|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower
        + @"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Blanks;

    private const string DeepSeek3 = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        + @"| ?[\p{P}\p{S}]+[\r\n]*|" + Blanks;

    /// <summary>The steps, the normalizer and whether merges are passed over for whole pieces; null where the name is not known.</summary>
    public static (IReadOnlyList<PieceStage> Stages, Normalizer? Normalizer, bool IgnoreMerges)? Find(string? name)
    {
        switch (name)
        {
            case null or "" or "default" or "gpt-2" or "phi-2" or "jina-es" or "jina-de" or "jina-v1-en" or "jina-v2-es" or "jina-v2-de":
                return ([new ByteLevelStage(addPrefixSpace: false, useRegex: true)], null, false);
            case "smollm" or "starcoder" or "refact" or "command-r" or "codeshell":
                return ([new CodePointSplit(CodePoints.IsNumeric, SplitBehavior.Isolated), new ByteLevelStage(false, useRegex: true)], null, false);
            case "falcon":
                return (
                [
                    new CodePointSplit(CodePoints.IsPunctuation, SplitBehavior.Contiguous),
                    new ByteLevelStage(false, useRegex: true),
                    new CodePointSplit(CodePoints.IsNumeric, SplitBehavior.Contiguous),
                    Split("[0-9][0-9][0-9]"),
                ], null, false);
            case "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral":
                return (Splits(Llama3), null, true);
            case "glm4" or "chatglm-bpe" or "dbrx" or "smaug-bpe":
                return (Splits(Llama3), null, false);
            case "qwen2" or "deepseek-r1-qwen" or "stablelm2" or "megrez":
                return (Splits(Qwen2), name == "qwen2" ? new UnicodeNormalizer(NormalizationForm.FormC) : null, false);
            case "qwen35":
                return (Splits(Qwen35), new UnicodeNormalizer(NormalizationForm.FormC), false);
            case "gpt-4o" or "llama4" or "minimax-m2":
                return (Splits(Gpt4o), null, false);
            case "tekken":
                return (Splits(Tekken), null, true);
            case "deepseek-v3":
                return (Splits(@"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DeepSeek3), null, false);
            case "deepseek-coder":
                return (
                [
                    Split(@"[\r\n]"), Split(@"\s?\p{L}+"), Split(@"\s?\p{P}+"), Split("[一-龥ࠀ-一가-퟿]+"),
                    new CodePointSplit(CodePoints.IsNumeric, SplitBehavior.Isolated), new ByteLevelStage(false, useRegex: false),
                ], null, false);
            default:
                return null;
        }
    }

    private static PieceStage[] Splits(params string[] patterns) =>
        [.. patterns.Select(Split), new ByteLevelStage(addPrefixSpace: false, useRegex: false)];

    private static PieceStage Split(string pattern) =>
        new PatternSplit(new TextPattern(new TokenRegex(pattern)), SplitBehavior.Isolated, invert: false);
}
