using System.Globalization;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Parses the part of Oniguruma's syntax (github.com/kkos/oniguruma, doc/RE) that tokenizer files use: classes with
/// categories, groups, inline (?i), look-ahead, atomic groups, greedy, lazy and possessive repetition, anchors.
/// </summary>
internal sealed class RegexParser
{
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;
    private readonly string _pattern;
    private int _at;
    private int _depth;

    private RegexParser(string pattern) => _pattern = pattern;

    public static RegexNode Parse(string pattern)
    {
        if (pattern.Length > 20_000)
            throw new UnsupportedException("a split pattern", $"it has {pattern.Length} characters, 20000 are the most");
        var parser = new RegexParser(pattern);
        RegexNode node = parser.Choice(ignoreCase: false);
        return parser._at == pattern.Length ? node : throw parser.Bad("a ')' without its '('");
    }

    private char Current => _pattern[_at];

    private bool AtEnd => _at >= _pattern.Length;

    private bool Take(string text)
    {
        if (string.CompareOrdinal(_pattern, _at, text, 0, text.Length) != 0)
            return false;
        _at += text.Length;
        return true;
    }

    private UnsupportedException Bad(string what) => new(
        "split pattern " + (_pattern.Length <= 120 ? _pattern : _pattern[..119] + "…"), $"at position {_at}: {what}");

    private RegexNode Choice(bool ignoreCase)
    {
        if (++_depth > MaxDepth)
            throw Bad($"groups nested deeper than {MaxDepth}");
        var branches = new List<RegexNode>();
        var parts = new List<RegexNode>();
        while (!AtEnd && Current != ')')
        {
            if (Take("|"))
            {
                branches.Add(Join(parts));
                parts = [];
                continue;
            }

            if (Take("(?i)"))
            {
                ignoreCase = true;
                continue;
            }

            if (Take("(?-i)"))
            {
                ignoreCase = false;
                continue;
            }

            parts.Add(Repeated(Atom(ignoreCase)));
        }

        branches.Add(Join(parts));
        _depth--;
        return branches.Count == 1 ? branches[0] : new RegexNode.Choice(branches);
    }

    private static RegexNode Join(List<RegexNode> parts) =>
        parts.Count == 1 ? parts[0] : new RegexNode.Sequence(parts);

    private RegexNode Repeated(RegexNode node)
    {
        while (!AtEnd)
        {
            int min, max;
            bool interval = false;
            if (Take("*"))
                (min, max) = (0, -1);
            else if (Take("+"))
                (min, max) = (1, -1);
            else if (Take("?"))
                (min, max) = (0, 1);
            else if (Current == '{' && TryInterval(out min, out max))
                interval = true;
            else
                return node;
            RepeatKind kind = RepeatKind.Greedy;
            if (Take("?"))
                kind = RepeatKind.Lazy;
            else if (!interval && Take("+"))
                kind = RepeatKind.Possessive;
            if (node.Nullable && max != 1)
                throw Bad("a repetition of something that can be empty");
            node = new RegexNode.Repeat(node, min, max, kind);
        }

        return node;
    }

    private bool TryInterval(out int min, out int max)
    {
        int start = _at++;
        min = Number() ?? -1;
        max = min;
        bool comma = Take(",");
        if (comma)
            max = Number() ?? -1;
        if (!Take("}") || (min < 0 && (!comma || max < 0)))
        {
            _at = start;
            return false;
        }

        min = Math.Max(min, 0);
        if (min > MaxRepeat || max > MaxRepeat || (max >= 0 && max < min))
            throw Bad($"a repetition of {min} to {max}; 0 to {MaxRepeat} in rising order are allowed");
        return true;
    }

    private int? Number()
    {
        int start = _at;
        while (!AtEnd && char.IsAsciiDigit(Current))
            _at++;
        if (_at == start)
            return null;
        return int.TryParse(_pattern.AsSpan(start, _at - start), CultureInfo.InvariantCulture, out int value)
            ? value : throw Bad("a number too large");
    }

    private RegexNode Atom(bool ignoreCase)
    {
        if (Take("("))
            return Group(ignoreCase);
        if (Take("["))
            return new RegexNode.One(Class(ignoreCase));
        if (Take("."))
            return new RegexNode.One(new CodePointSet().AddRange('\n', '\n').Invert().Freeze());
        if (Take("^"))
            return new RegexNode.Assert(RegexOp.LineStart);
        if (Take("$"))
            return new RegexNode.Assert(RegexOp.LineEnd);
        if (Current is '*' or '+' or '?')
            throw Bad("a repetition of nothing");
        if (Current != '\\')
            return new RegexNode.One(Literal(TakeCodePoint(), ignoreCase));
        if (_at + 1 < _pattern.Length)
        {
            RegexOp? anchor = _pattern[_at + 1] switch
            {
                'A' => RegexOp.TextStart,
                'z' => RegexOp.TextEnd,
                'Z' => RegexOp.TextEndOrNewline,
                'b' => RegexOp.WordBoundary,
                'B' => RegexOp.NotWordBoundary,
                _ => null,
            };
            if (anchor is not null)
            {
                _at += 2;
                return new RegexNode.Assert(anchor.Value);
            }
        }

        return new RegexNode.One(Escape(out int codePoint) ?? Literal(codePoint, ignoreCase));
    }

    private RegexNode Group(bool ignoreCase)
    {
        RegexNode node;
        if (Take("?:"))
            node = Choice(ignoreCase);
        else if (Take("?i:"))
            node = Choice(true);
        else if (Take("?-i:"))
            node = Choice(false);
        else if (Take("?="))
            node = new RegexNode.Look(Choice(ignoreCase), Negative: false);
        else if (Take("?!"))
            node = new RegexNode.Look(Choice(ignoreCase), Negative: true);
        else if (Take("?>"))
            node = new RegexNode.Atomic(Choice(ignoreCase));
        else if (!AtEnd && Current == '?')
            throw Bad("a kind of group that is not known: (?:, (?i:, (?=, (?! and (?> are");
        else
            node = Choice(ignoreCase);
        return Take(")") ? node : throw Bad("a group without its ')'");
    }

    private CodePointSet Class(bool ignoreCase)
    {
        if (++_depth > MaxDepth)
            throw Bad($"classes nested deeper than {MaxDepth}");
        var set = new CodePointSet();
        bool inverted = Take("^");
        bool first = true;
        while (true)
        {
            if (AtEnd)
                throw Bad("a class without its ']'");
            if (Current == ']' && !first)
            {
                _at++;
                break;
            }

            first = false;
            if (Take("&&") || Take("[:"))
                throw Bad("intersections and named classes in brackets");
            if (Take("["))
            {
                set.Add(Class(ignoreCase));
                continue;
            }

            int low;
            if (Current == '\\')
            {
                if (Escape(out low) is { } escaped)
                {
                    set.Add(escaped);
                    continue;
                }
            }
            else
            {
                low = TakeCodePoint();
            }

            int high = low;
            if (_at + 1 < _pattern.Length && Current == '-' && _pattern[_at + 1] is not (']' or '['))
            {
                _at++;
                if (Current != '\\')
                    high = TakeCodePoint();
                else if (Escape(out high) is not null)
                    throw Bad("a range that ends in a class");
                if (high < low)
                    throw Bad("a range whose end is before its start");
            }

            set.AddRange(low, high);
        }

        _depth--;
        if (ignoreCase)
            set.AddOtherCases();
        return (inverted ? set.Invert() : set).Freeze();
    }

    private int TakeCodePoint()
    {
        int codePoint = CodePoints.At(_pattern, _at, out int length);
        _at += length;
        return codePoint;
    }

    private static CodePointSet Literal(int codePoint, bool ignoreCase)
    {
        CodePointSet set = new CodePointSet().AddRange(codePoint, codePoint);
        return (ignoreCase ? set.AddOtherCases() : set).Freeze();
    }

    // Either a class (returned) or one code point.
    private CodePointSet? Escape(out int codePoint)
    {
        codePoint = 0;
        _at++;
        if (AtEnd)
            throw Bad("a '\\' at the end");
        codePoint = TakeCodePoint();
        switch (codePoint)
        {
            case 's' or 'S':
                return Shared(new CodePointSet().AddRanges(CodePoints.WhiteSpaceRanges), codePoint == 'S');
            case 'd' or 'D':
                return Shared(new CodePointSet().AddCategories(1u << (int)UnicodeCategory.DecimalDigitNumber), codePoint == 'D');
            case 'w' or 'W':
                return Shared(new CodePointSet().AddCategories(CodePoints.Word).AddRanges(CodePoints.WordRanges), codePoint == 'W');
            case 'h' or 'H':
                return Shared(new CodePointSet().AddRange('0', '9').AddRange('a', 'f').AddRange('A', 'F'), codePoint == 'H');
            case 'p' or 'P':
                return Property(codePoint == 'P');
            case 'n': codePoint = '\n'; return null;
            case 'r': codePoint = '\r'; return null;
            case 't': codePoint = '\t'; return null;
            case 'f': codePoint = '\f'; return null;
            case 'v': codePoint = '\v'; return null;
            case 'a': codePoint = 7; return null;
            case 'e': codePoint = 27; return null;
            case 'x' when Take("{"):
                codePoint = Hex(1, 8);
                if (!Take("}"))
                    throw Bad("\\x{ without its '}'");
                return null;
            case 'x': codePoint = Hex(1, 2); return null;
            case 'u': codePoint = Hex(4, 4); return null;
            default:
                if (codePoint < 128 && char.IsAsciiLetterOrDigit((char)codePoint))
                    throw Bad($"the escape \\{(char)codePoint}");
                return null;
        }
    }

    private static CodePointSet Shared(CodePointSet set, bool inverted) => (inverted ? set.Invert() : set).Freeze();

    private int Hex(int least, int most)
    {
        int start = _at;
        while (!AtEnd && _at - start < most && char.IsAsciiHexDigit(Current))
            _at++;
        if (_at - start < least || !int.TryParse(_pattern.AsSpan(start, _at - start), NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture, out int value) || value > 0x10FFFF)
        {
            throw Bad("a code point in hexadecimal expected");
        }

        return value;
    }

    private CodePointSet Property(bool inverted)
    {
        if (!Take("{"))
            throw Bad("'{' expected after \\p");
        if (Take("^"))
            inverted = !inverted;
        int end = _pattern.IndexOf('}', _at);
        if (end < 0)
            throw Bad("\\p{ without its '}'");
        string name = _pattern[_at..end];
        uint mask = name switch
        {
            "L" => CodePoints.Letter,
            "M" => CodePoints.Mark,
            "N" => CodePoints.Number,
            "P" => CodePoints.Punctuation,
            "S" => CodePoints.Symbol,
            "Z" => CodePoints.Separator,
            "C" => CodePoints.Other,
            "Lu" => Bit(UnicodeCategory.UppercaseLetter),
            "Ll" => Bit(UnicodeCategory.LowercaseLetter),
            "Lt" => Bit(UnicodeCategory.TitlecaseLetter),
            "Lm" => Bit(UnicodeCategory.ModifierLetter),
            "Lo" => Bit(UnicodeCategory.OtherLetter),
            "Mn" => Bit(UnicodeCategory.NonSpacingMark),
            "Mc" => Bit(UnicodeCategory.SpacingCombiningMark),
            "Me" => Bit(UnicodeCategory.EnclosingMark),
            "Nd" => Bit(UnicodeCategory.DecimalDigitNumber),
            "Nl" => Bit(UnicodeCategory.LetterNumber),
            "No" => Bit(UnicodeCategory.OtherNumber),
            "Pc" => Bit(UnicodeCategory.ConnectorPunctuation),
            "Pd" => Bit(UnicodeCategory.DashPunctuation),
            "Ps" => Bit(UnicodeCategory.OpenPunctuation),
            "Pe" => Bit(UnicodeCategory.ClosePunctuation),
            "Pi" => Bit(UnicodeCategory.InitialQuotePunctuation),
            "Pf" => Bit(UnicodeCategory.FinalQuotePunctuation),
            "Po" => Bit(UnicodeCategory.OtherPunctuation),
            "Sm" => Bit(UnicodeCategory.MathSymbol),
            "Sc" => Bit(UnicodeCategory.CurrencySymbol),
            "Sk" => Bit(UnicodeCategory.ModifierSymbol),
            "So" => Bit(UnicodeCategory.OtherSymbol),
            "Zs" => Bit(UnicodeCategory.SpaceSeparator),
            "Zl" => Bit(UnicodeCategory.LineSeparator),
            "Zp" => Bit(UnicodeCategory.ParagraphSeparator),
            "Cc" => Bit(UnicodeCategory.Control),
            "Cf" => Bit(UnicodeCategory.Format),
            "Co" => Bit(UnicodeCategory.PrivateUse),
            "Cn" => Bit(UnicodeCategory.OtherNotAssigned),
            "Han" => 0,
            _ => throw Bad($"the property {name}"),
        };
        _at = end + 1;
        CodePointSet set = new CodePointSet().AddCategories(mask);
        if (name == "Han")
            set.AddRanges(Han);
        return Shared(set, inverted);
    }

    private static uint Bit(UnicodeCategory category) => 1u << (int)category;

    // Script Han of Unicode's Scripts.txt.
    private static readonly (int, int)[] Han =
    [
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029),
        (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3),
        (0x16FF0, 0x16FF1), (0x20000, 0x2A6DF), (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1),
        (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x323AF),
    ];
}
