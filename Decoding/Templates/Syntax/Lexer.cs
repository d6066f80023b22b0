using System.Globalization;
using System.Numerics;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>
/// Cuts a template into tokens, one at a time, in time linear in the source. White space follows the rules chat
/// templates are written for: a newline after a tag is dropped (trim_blocks), blanks before a tag that starts its line
/// too (lstrip_blocks), <c>-</c> and <c>+</c> change that for one tag.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] WideOperators = ["//", "**", "==", "!=", ">=", "<="];
    private readonly string _template;
    private readonly string _source;
    private readonly Stack<char> _brackets = new();
    private int _at;
    private int _line = 1;
    private int _lineAt;
    private bool _atLineStart = true;
    private char _tag;

    public Lexer(string source, string template)
    {
        _template = template;
        source = source.Replace("\r\n", "\n").Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <summary>The next token; <see cref="TokenKind.End"/> for ever after the last.</summary>
    public Token Next() => _tag == '\0' ? NextOutside() : NextInside();

    public TemplateException Error(string problem, TemplateErrorKind kind = TemplateErrorKind.Syntax) =>
        new(kind, problem, _template, Line());

    private int Line()
    {
        _line += _source.AsSpan(_lineAt, _at - _lineAt).Count('\n');
        _lineAt = _at;
        return _line;
    }

    private Token NextOutside()
    {
        while (_at < _source.Length)
        {
            int start = _at;
            int open = FindOpening(start);
            if (open < 0)
            {
                int line = Line();
                _at = _source.Length;
                return new Token(TokenKind.Data, _source[start..], null, line);
            }

            char kind = _source[open + 1];
            char sign = SignAt(open + 2);
            string text = TrimBefore(_source[start..open], sign, kind == '{');
            int textLine = Line();
            _at = open + (sign == '\0' ? 2 : 3);
            if (kind == '#')
            {
                SkipComment();
            }
            else if (kind == '%' && TryRaw(open, "raw", plusEnds: false, trimNewline: false, out int rawStart))
            {
                _at = rawStart;
                text += Raw();
            }
            else
            {
                _tag = kind;
                _pending = new Token(kind == '{' ? TokenKind.VariableBegin : TokenKind.BlockBegin, _source.Substring(open, 2), null, Line());
                _atLineStart = false;
            }

            if (text.Length > 0)
                return new Token(TokenKind.Data, text, null, textLine);
            if (_tag != '\0')
                return NextInside();
        }

        return new Token(TokenKind.End, "", null, Line());
    }

    private Token? _pending;

    private Token NextInside()
    {
        if (_pending is { } pending)
        {
            _pending = null;
            return pending;
        }

        while (_at < _source.Length && PyText.IsSpace(_source[_at]))
            _at++;
        int line = Line();
        if (_at == _source.Length)
            return new Token(TokenKind.End, "", null, line);
        if (_brackets.Count == 0 && TryEnd())
        {
            TokenKind kind = _tag == '{' ? TokenKind.VariableEnd : TokenKind.BlockEnd;
            _tag = '\0';
            return new Token(kind, "", null, line);
        }

        char c = _source[_at];
        if (char.IsAsciiDigit(c))
            return Number(line);
        if (c is '\'' or '"')
            return Text(line);
        if (IsWord(_at))
        {
            int start = _at;
            while (_at < _source.Length && IsWord(_at))
                _at += PyText.Width(_source, _at);
            return new Token(TokenKind.Name, _source[start.._at], null, line);
        }

        foreach (string wide in WideOperators)
        {
            if (string.CompareOrdinal(_source, _at, wide, 0, 2) == 0)
            {
                _at += 2;
                return new Token(TokenKind.Operator, wide, null, line);
            }
        }

        if (!"+-/*%~[](){}><=.:|,;".Contains(c))
            throw Error($"unexpected character '{(char.IsControl(c) ? '\uFFFD' : c)}'");
        Balance(c);
        _at++;
        return new Token(TokenKind.Operator, c.ToString(), null, line);
    }

    private int FindOpening(int from)
    {
        while (true)
        {
            int found = _source.AsSpan(from).IndexOf('{');
            if (found < 0 || from + found + 1 >= _source.Length)
                return -1;
            from += found;
            if (_source[from + 1] is '{' or '%' or '#')
                return from;
            from++;
        }
    }

    private char SignAt(int at) => at < _source.Length && _source[at] is '-' or '+' ? _source[at] : '\0';

    private string TrimBefore(string text, char sign, bool isVariable)
    {
        if (sign == '-')
            return PyText.Strip(text, start: false);
        if (sign == '+' || isVariable)
            return text;
        int lineStart = text.LastIndexOf('\n') + 1;
        if (lineStart == 0 && !_atLineStart)
            return text;
        for (int i = lineStart; i < text.Length; i++)
        {
            if (!PyText.IsSpace(text[i]))
                return text;
        }

        return text[..lineStart];
    }

    private void SkipComment()
    {
        int start = _at;
        int end = _source.IndexOf("#}", start, StringComparison.Ordinal);
        if (end < 0)
            throw Error("a comment has no end: '#}' is missing");
        char sign = end > start ? SignAt(end - 1) : '\0';
        _at = end + 2;
        AfterTag(sign, trimNewline: true);
    }

    private string Raw()
    {
        int start = _at;
        for (int open = _at; ; open += 2)
        {
            open = _source.IndexOf("{%", open, StringComparison.Ordinal);
            if (open < 0)
                throw Error("a raw block has no end: '{% endraw %}' is missing");
            if (!TryRaw(open, "endraw", plusEnds: true, trimNewline: true, out int after))
                continue;
            string text = TrimBefore(_source[start..open], SignAt(open + 2), false);
            _at = after;
            _atLineStart = _source[after - 1] == '\n';
            return text;
        }
    }

    // A whole tag {% word %} at a place, with its white-space control.
    private bool TryRaw(int open, string word, bool plusEnds, bool trimNewline, out int after)
    {
        int at = open + (SignAt(open + 2) == '\0' ? 2 : 3);
        after = at;
        at = SkipSpace(at);
        if (string.CompareOrdinal(_source, at, word, 0, word.Length) != 0)
            return false;
        at = SkipSpace(at + word.Length);
        char sign = SignAt(at);
        if (sign == '+' && !plusEnds)
            return false;
        if (sign != '\0')
            at++;
        if (string.CompareOrdinal(_source, at, "%}", 0, 2) != 0)
            return false;
        int saved = _at;
        bool savedStart = _atLineStart;
        _at = at + 2;
        AfterTag(sign, trimNewline);
        after = _at;
        _at = saved;
        if (word == "endraw")
            _atLineStart = savedStart;
        return true;
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && PyText.IsSpace(_source[at]))
            at++;
        return at;
    }

    private bool TryEnd()
    {
        char close = _tag == '{' ? '}' : '%';
        char sign = SignAt(_at);
        if (sign == '+' && _tag == '{')
            return false;
        int at = sign == '\0' ? _at : _at + 1;
        if (at + 1 >= _source.Length || _source[at] != close || _source[at + 1] != '}')
            return false;
        _at = at + 2;
        AfterTag(sign, trimNewline: _tag == '%');
        return true;
    }

    private void AfterTag(char sign, bool trimNewline)
    {
        if (sign == '-')
            _at = SkipSpace(_at);
        else if (sign != '+' && trimNewline && _at < _source.Length && _source[_at] == '\n')
            _at++;
        _atLineStart = _source[_at - 1] == '\n';
    }

    private bool IsWord(int at)
    {
        char c = _source[at];
        return c < 128 ? char.IsAsciiLetterOrDigit(c) || c == '_'
            : PyText.Category(_source, at) is <= UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber;
    }

    private void Balance(char c)
    {
        switch (c)
        {
            case '(':
                _brackets.Push(')');
                break;
            case '[':
                _brackets.Push(']');
                break;
            case '{':
                _brackets.Push('}');
                break;
            case ')' or ']' or '}':
                if (!_brackets.TryPop(out char expected))
                    throw Error($"unexpected '{c}'");
                if (expected != c)
                    throw Error($"unexpected '{c}', expected '{expected}'");
                break;
        }
    }

    private int Digits(int at, Func<char, bool> isDigit)
    {
        while (at < _source.Length && (isDigit(_source[at]) || (_source[at] == '_' && at + 1 < _source.Length && isDigit(_source[at + 1]))))
            at++;
        return at;
    }

    private Token Number(int line)
    {
        int start = _at;
        char mark = _at + 1 < _source.Length && _source[_at] == '0' ? char.ToLowerInvariant(_source[_at + 1]) : '\0';
        int radix = mark switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        if (radix != 10)
        {
            Func<char, bool> isDigit = radix switch { 16 => char.IsAsciiHexDigit, 8 => static c => c is >= '0' and <= '7', _ => static c => c is '0' or '1' };
            int end = Digits(_at + 2, isDigit);
            if (end > _at + 2)
            {
                _at = end;
                return new Token(TokenKind.Integer, "", Integer(_source.AsSpan(start + 2, end - start - 2), radix), line);
            }
        }

        int whole = Digits(_at, char.IsAsciiDigit);
        int afterPoint = whole < _source.Length && _source[whole] == '.' ? Digits(whole + 1, char.IsAsciiDigit) : whole;
        if (afterPoint == whole + 1)
            afterPoint = whole;
        int exponent = afterPoint;
        if (exponent < _source.Length && _source[exponent] is 'e' or 'E')
        {
            int digits = exponent + 1 < _source.Length && _source[exponent + 1] is '+' or '-' ? exponent + 2 : exponent + 1;
            int end = Digits(digits, char.IsAsciiDigit);
            if (end > digits)
                exponent = end;
        }

        // After a point only an integer can stand: x.1.2 reads element 1, then element 2.
        bool afterDot = start > 0 && _source[start - 1] == '.';
        if (exponent > whole && !afterDot)
        {
            _at = exponent;
            string text = _source[start.._at].Replace("_", "");
            return new Token(TokenKind.Float, "", double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture), line);
        }

        // A leading zero stands alone: 007 is three numbers, hence a mistake.
        _at = _source[start] == '0' ? Digits(start, static c => c == '0') : whole;
        return new Token(TokenKind.Integer, "", Integer(_source.AsSpan(start, _at - start), 10), line);
    }

    private object Integer(ReadOnlySpan<char> digits, int radix)
    {
        if (digits.Length > PyNumber.MaxDigits)
            throw Error($"a number has more than {PyNumber.MaxDigits} digits", TemplateErrorKind.Limit);
        BigInteger value = 0;
        foreach (char c in digits)
        {
            if (c != '_')
                value = value * radix + (char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
        }

        return value <= long.MaxValue ? Boxes.Of((long)value) : value;
    }

    private Token Text(int line)
    {
        char quote = _source[_at];
        int end = _at + 1;
        bool escaped = false;
        while (true)
        {
            int found = end < _source.Length ? _source.AsSpan(end).IndexOfAny(quote, '\\') : -1;
            if (found < 0 || (_source[end + found] == '\\' && end + found + 1 >= _source.Length))
                throw Error($"a string that starts with {quote} has no end");
            end += found;
            if (_source[end] == quote)
                break;
            escaped = true;
            end += 2;
        }

        string text = _source[(_at + 1)..end];
        if (escaped)
            text = Unescape(text);
        _at = end + 1;
        return new Token(TokenKind.String, text, text, line);
    }

    // Python's escapes; what is none keeps its backslash.
    private string Unescape(string text)
    {
        var output = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                output.Append(text[i]);
                continue;
            }

            char c = text[++i];
            switch (c)
            {
                case '\n':
                    break;
                case '\\' or '\'' or '"':
                    output.Append(c);
                    break;
                case 'x':
                    AppendHex(output, text, ref i, 2);
                    break;
                case 'u':
                    AppendHex(output, text, ref i, 4);
                    break;
                case 'U':
                    AppendHex(output, text, ref i, 8);
                    break;
                case 'N':
                    throw Error("characters by name, as in \\N{DASH}, are not supported in strings: write the character itself");
                case >= '0' and <= '7':
                    int value = 0, digits = 0;
                    for (; digits < 3 && i < text.Length && text[i] is >= '0' and <= '7'; digits++, i++)
                        value = value * 8 + text[i] - '0';
                    i--;
                    output.Append((char)value);
                    break;
                default:
                    int known = "abfnrtv".IndexOf(c);
                    if (known >= 0)
                        output.Append("\a\b\f\n\r\t\v"[known]);
                    else
                        output.Append('\\').Append(c);
                    break;
            }
        }

        return output.ToString();
    }

    private void AppendHex(StringBuilder output, string text, ref int i, int digits)
    {
        if (i + digits >= text.Length || !uint.TryParse(text.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) || value > 0x10FFFF)
            throw Error($"a string holds a '\\{text[i]}' that is not followed by {digits} hexadecimal digits of a character");
        i += digits;
        if (value > 0xFFFF)
            output.Append(char.ConvertFromUtf32((int)value));
        else
            output.Append((char)value);
    }
}
