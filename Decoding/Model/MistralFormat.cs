using System.Globalization;
using Portable.Checkpoints;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>
/// Tells which version of Mistral's conversation format a folder's own tokenizer is of. tekken.json states it; a tokenizer.model by the ending of its
/// name, or else by its control tokens, in which the versions differ.
/// </summary>
internal static class MistralFormat
{
    private const int FirstVocabulary = 32000, Control = 3;

    /// <summary>The names of SentencePiece files that tell a version; m1 stands for one with images.</summary>
    public static IReadOnlyList<string> SentencePieceFiles { get; } =
        ["tokenizer.model.v7m1", "tokenizer.model.v7", "tokenizer.model.v3", "tokenizer.model.v2", "tokenizer.model.v1"];

    /// <summary>The built-in template of a folder; null where it is not of Mistral's own format.</summary>
    /// <exception cref="InvalidModelException">The tokenizer is broken, or lacks tokens of the version that it states.</exception>
    /// <exception cref="UnsupportedException">It states no version, or one that is not known.</exception>
    public static ChatTemplate? Find(Checkpoint checkpoint)
    {
        bool hasJson = checkpoint.TryReadFile("tokenizer.json", out _);
        // With a tokenizer.json that one counts, and whether it puts blanks as SentencePiece does is not known.
        if (!hasJson && ReadSentencePiece(checkpoint) is var (version, vocabulary, file))
            return Create(version, [.. vocabulary.Tokens.Where((_, id) => IsControl(vocabulary, id))], file);
        if ((!hasJson && HasSentencePiece(checkpoint)) || !checkpoint.TryReadFile("tekken.json", out byte[]? tekken))
            return null;
        string path = Path.Combine(checkpoint.Path, "tekken.json");
        (string? stated, IReadOnlyList<string> special) = TiktokenFile.ReadTekkenFormat(tekken, path);
        return Create(Number(stated, path), special, path);
    }

    private static (int Version, GgufVocabulary Vocabulary, string File)? ReadSentencePiece(Checkpoint checkpoint)
    {
        string? named = SentencePieceFiles.FirstOrDefault(n => checkpoint.TryReadFile(n, out _));
        if ((named is null && !HasSentencePiece(checkpoint)) || ModelFiles.ReadSentencePiece(checkpoint, out string file) is not { } vocabulary)
            return null;
        int version = named is not null ? named["tokenizer.model.v".Length] - '0'
            : Has("[SYSTEM_PROMPT]") ? 7
            : Has("[INST]") ? Has("[PREFIX]") ? 3 : 2
            : IsFirst() ? 1 : 0;
        return version == 0 ? null : (version, vocabulary, file);

        bool Has(string token) => vocabulary.Tokens.Select((text, id) => text == token && IsControl(vocabulary, id)).Contains(true);

        // Nothing in the first vocabulary tells it from others of its time, so the model must say that it is Mistral's, and nothing may be added to it.
        bool IsFirst() => vocabulary.Tokens.Count == FirstVocabulary && vocabulary.Architecture is "mistral" or "mixtral";
    }

    private static bool HasSentencePiece(Checkpoint checkpoint) => checkpoint.TryReadFile("tokenizer.model", out _);

    private static bool IsControl(GgufVocabulary vocabulary, int id) => vocabulary.TokenTypes?[id] == Control;

    /// <summary>The version that a tekken.json states; there was none yet in the first.</summary>
    private static int Number(string? stated, string file)
    {
        int[] known = [.. MistralTemplate.Versions.Where(v => v > 1)];
        return known.FirstOrDefault(v => stated == Name(v)) is > 0 and int version
            ? version
            : throw new UnsupportedException(
                $"The conversation format of {file}",
                $"it states {(stated is null ? "no version" : $"the version '{stated}'")}, known are {string.Join(", ", known.Select(Name))}; put the model's template beside it as chat_template.jinja");
    }

    private static string Name(int version) => string.Create(CultureInfo.InvariantCulture, $"v{version}");

    private static ChatTemplate Create(int version, IReadOnlyCollection<string> control, string file)
    {
        string? missing = MistralTemplate.Tokens(version).FirstOrDefault(t => !control.Contains(t));
        return missing is null
            ? MistralTemplate.Create(version, control.Contains("[THINK]") && control.Contains("[/THINK]"))
            : throw new InvalidModelException(file, "special tokens", $"{missing} is missing, without which no vocabulary is of version {Name(version)}");
    }
}
