using System.Text;

namespace Portable.Decoding.Tokenization;

// What rewrites and splits a text before the model.
internal static partial class TokenizerJson
{
    private static Normalizer? ReadNormalizer(JsonField node)
    {
        if (node.IsNull)
            return null;
        switch (node["type"].Text())
        {
            case "Sequence":
                Normalizer[] parts = [.. node["normalizers"].Items().Select(ReadNormalizer).OfType<Normalizer>()];
                if (parts.Length > 100)
                    throw node["normalizers"].Bad("more than 100 steps");
                return parts.Length switch { 0 => null, 1 => parts[0], _ => new NormalizerSequence(parts) };
            case "NFC": return new UnicodeNormalizer(NormalizationForm.FormC);
            case "NFD": return new UnicodeNormalizer(NormalizationForm.FormD);
            case "NFKC": return new UnicodeNormalizer(NormalizationForm.FormKC);
            case "NFKD": return new UnicodeNormalizer(NormalizationForm.FormKD);
            case "Lowercase": return new LowercaseNormalizer();
            case "StripAccents": return new StripAccentsNormalizer();
            case "Nmt": return new NmtNormalizer();
            case "Strip": return new StripNormalizer(node["strip_left"].Flag(), node["strip_right"].Flag());
            case "Prepend": return new PrependNormalizer(node["prepend"].Text());
            case "Replace": return new ReplaceNormalizer(ReadPattern(node["pattern"]), node["content"].Text());
            case "BertNormalizer":
                bool lowercase = node["lowercase"].Flag();
                return new BertNormalizer(
                    node["clean_text"].Flag(), node["handle_chinese_chars"].Flag(), node["strip_accents"].Flag(lowercase), lowercase);
            case "Precompiled":
                JsonField map = node["precompiled_charsmap"];
                byte[] bytes;
                try
                {
                    bytes = Convert.FromBase64String(map.Text());
                }
                catch (FormatException)
                {
                    throw map.Bad("base64 expected");
                }

                return PrecompiledNormalizer.TryCreate(bytes)
                    ?? throw map.Bad("the length of its table contradicts its own length");
            case var type:
                throw Unsupported(node, $"the normalizer {type}", "it is not known");
        }
    }

    private static void ReadPreTokenizer(JsonField node, List<PieceStage> stages)
    {
        if (node.IsNull)
            return;
        switch (node["type"].Text())
        {
            case "Sequence":
                foreach (JsonField part in node["pretokenizers"].Items())
                    ReadPreTokenizer(part, stages);
                break;
            case "ByteLevel":
                if (stages.Count(s => s is ByteLevelStage) == 2)
                    throw Unsupported(node, "a third ByteLevel", "each makes the text longer, and one is enough");
                stages.Add(new ByteLevelStage(node["add_prefix_space"].Flag(), node["use_regex"].Flag(whenAbsent: true)));
                break;
            case "Split":
                stages.Add(new PatternSplit(ReadPattern(node["pattern"]), Behavior(node["behavior"]), node["invert"].Flag()));
                break;
            case "Digits":
                stages.Add(new CodePointSplit(
                    CodePoints.IsNumeric,
                    node["individual_digits"].Flag() ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                break;
            case "Punctuation":
                stages.Add(new CodePointSplit(
                    CodePoints.IsPunctuation,
                    node["behavior"].IsNull ? SplitBehavior.Isolated : Behavior(node["behavior"])));
                break;
            case "WhitespaceSplit":
                stages.Add(new CodePointSplit(CodePoints.IsWhiteSpace, SplitBehavior.Removed));
                break;
            case "BertPreTokenizer":
                stages.Add(new CodePointSplit(CodePoints.IsWhiteSpace, SplitBehavior.Removed));
                stages.Add(new CodePointSplit(CodePoints.IsPunctuation, SplitBehavior.Isolated));
                break;
            case "Whitespace":
                stages.Add(new PatternSplit(
                    new TextPattern(new TokenRegex(@"\w+|[^\w\s]+")), SplitBehavior.Removed, invert: true));
                break;
            case "Metaspace":
                (char mark, PrependScheme prepend) = ReadMetaspace(node);
                stages.Add(new MetaspaceStage(mark, prepend, node["split"].Flag(whenAbsent: true)));
                break;
            case var type:
                throw Unsupported(node, $"the pre-tokenizer {type}", "it is not known");
        }

        if (stages.Count > 100)
            throw node.Bad("more than 100 steps");
    }

    private static (char Mark, PrependScheme Prepend) ReadMetaspace(JsonField node)
    {
        string mark = node["replacement"].Text("\u2581");
        if (mark.Length != 1)
            throw Unsupported(node["replacement"], "a mark of more than one character", "U+2581 is the usual one");
        JsonField scheme = node["prepend_scheme"];
        if (scheme.IsNull)
            return (mark[0], node["add_prefix_space"].Flag(whenAbsent: true) ? PrependScheme.Always : PrependScheme.Never);
        return (mark[0], scheme.Text() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw scheme.Bad($"always, first or never expected, {other} found"),
        });
    }

    private static SplitBehavior Behavior(JsonField node) => node.Text() switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "Contiguous" => SplitBehavior.Contiguous,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        var other => throw node.Bad($"a split behaviour expected, {other} found"),
    };
}
