using System.Globalization;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>The methods of strings.</summary>
internal static class TextMethods
{
    private delegate object? Method(RenderContext context, string self, Arguments arguments);

    private static readonly Dictionary<string, Method> All = new(StringComparer.Ordinal)
    {
        ["upper"] = Plain(PyText.Upper),
        ["lower"] = Plain(PyText.Lower),
        ["title"] = Plain(PyText.Title),
        ["capitalize"] = Plain(PyText.Capitalize),
        ["swapcase"] = Plain(PyText.SwapCase),
        ["casefold"] = Plain(PyText.CaseFold),
        ["strip"] = (c, s, a) => Strip(s, a, true, true),
        ["lstrip"] = (c, s, a) => Strip(s, a, true, false),
        ["rstrip"] = (c, s, a) => Strip(s, a, false, true),
        ["split"] = (c, s, a) => Split(c, s, a.Bind(0, "sep", "maxsplit"), fromEnd: false),
        ["rsplit"] = (c, s, a) => Split(c, s, a.Bind(0, "sep", "maxsplit"), fromEnd: true),
        ["splitlines"] = (c, s, a) => Texts(c, PyText.Lines(c, s, a.Bind(0, "keepends").Truth(0))),
        ["partition"] = (c, s, a) => Partition(c, s, a.Bind(1, "sep").Text(0), last: false),
        ["rpartition"] = (c, s, a) => Partition(c, s, a.Bind(1, "sep").Text(0), last: true),
        ["startswith"] = (c, s, a) => Affix(c, s, a.Bind(1, "prefix", "start", "end"), static (text, part) => text.StartsWith(part, StringComparison.Ordinal)),
        ["endswith"] = (c, s, a) => Affix(c, s, a.Bind(1, "suffix", "start", "end"), static (text, part) => text.EndsWith(part, StringComparison.Ordinal)),
        ["replace"] = (c, s, a) => Replace(c, s, a.Bind(2, "old", "new", "count").Text(0), a.Text(1), a.Integer(2, -1)),
        ["find"] = (c, s, a) => Boxes.Of(Find(c, s, a, last: false)),
        ["rfind"] = (c, s, a) => Boxes.Of(Find(c, s, a, last: true)),
        ["index"] = (c, s, a) => Boxes.Of(Found(c, Find(c, s, a, last: false))),
        ["rindex"] = (c, s, a) => Boxes.Of(Found(c, Find(c, s, a, last: true))),
        ["count"] = Count,
        ["join"] = (c, s, a) => Join(c, s, a.Bind(1, "iterable")[0]),
        ["removeprefix"] = (c, s, a) => s.StartsWith(a.Bind(1, "prefix").Text(0), StringComparison.Ordinal) ? s[a.Text(0).Length..] : s,
        ["removesuffix"] = (c, s, a) => a.Bind(1, "suffix").Text(0).Length > 0 && s.EndsWith(a.Text(0), StringComparison.Ordinal) ? s[..^a.Text(0).Length] : s,
        ["zfill"] = (c, s, a) => ZeroFill(c, s, a.Bind(1, "width").Integer(0)),
        ["ljust"] = (c, s, a) => Justify(c, s, a.Bind(1, "width", "fillchar"), static (missing, _) => 0),
        ["rjust"] = (c, s, a) => Justify(c, s, a.Bind(1, "width", "fillchar"), static (missing, _) => missing),
        ["center"] = (c, s, a) => Justify(c, s, a.Bind(1, "width", "fillchar"), static (missing, width) => missing / 2 + (missing & width & 1)),
        ["expandtabs"] = (c, s, a) => ExpandTabs(c, s, a.Bind(0, "tabsize").Integer(0, 8)),
        ["format"] = (c, s, a) => new StringFormat(c, a.Positional, name => a.Named.FindIndex(n => n.Key == name) is >= 0 and int at
            ? a.Named[at].Value : throw c.TypeError($"format() misses '{name}'")).Format(s),
        ["format_map"] = (c, s, a) => new StringFormat(c, [], name => PyAccess.Item(c, a.Bind(1, "mapping")[0], name) is var found and not Undefined
            ? found : throw c.TypeError($"format_map() misses '{name}'")).Format(s),
        ["isdigit"] = Is((t, i) => CharUnicodeInfo.GetDigitValue(t, i) >= 0),
        ["isdecimal"] = Is((t, i) => CharUnicodeInfo.GetDecimalDigitValue(t, i) >= 0),
        ["isnumeric"] = Is((t, i) => CharUnicodeInfo.GetNumericValue(t, i) >= 0),
        ["isalpha"] = Is((t, i) => PyText.Category(t, i) <= UnicodeCategory.OtherLetter),
        ["isalnum"] = Is((t, i) => PyText.Category(t, i) <= UnicodeCategory.OtherLetter || CharUnicodeInfo.GetNumericValue(t, i) >= 0),
        ["isspace"] = Is((t, i) => PyText.IsSpace(t[i])),
        ["isascii"] = (c, s, a) => Boxes.Of(Ascii.IsValid(Bare(a, s))),
        ["islower"] = (c, s, a) => Boxes.Of(PyText.IsLower(Bare(a, s))),
        ["isupper"] = (c, s, a) => Boxes.Of(PyText.IsUpper(Bare(a, s))),
        ["istitle"] = (c, s, a) => Boxes.Of(PyText.Title(Bare(a, s)) == s && PyText.SwapCase(s) != s),
        ["isidentifier"] = (c, s, a) => Boxes.Of(Bare(a, s).Length > 0 && !char.IsAsciiDigit(s[0]) &&
            PyText.All(s, (t, i) => t[i] == '_' || PyText.Category(t, i) is <= UnicodeCategory.OtherLetter or UnicodeCategory.DecimalDigitNumber)),
    };

    public static Function? Find(string self, string name) =>
        All.TryGetValue(name, out Method? method) ? new Function(name, (context, arguments) =>
        {
            context.Step(self.Length >> 8);
            return method(context, self, arguments);
        }) : null;

    public static PyList Texts(RenderContext context, List<string> texts)
    {
        context.Allocate(16L * texts.Count + 48);
        return new PyList([.. texts]);
    }

    /// <summary>Counts the worst time of looking for a part before it is done.</summary>
    public static void ChargeSearch(RenderContext context, string text, string part) => context.Step((long)text.Length * part.Length >> 11);

    public static string Replace(RenderContext context, string text, string old, string replacement, long count)
    {
        if (count < 0)
            count = long.MaxValue;
        ChargeSearch(context, text, old);
        var output = new StringBuilder();
        int from = 0;
        if (old.Length == 0)
        {
            context.AllocateText(text.Length + Math.Min(count, text.Length + 1L) * replacement.Length);
            for (; count > 0 && from <= text.Length; count--)
            {
                output.Append(replacement);
                if (from == text.Length)
                    return output.ToString();
                int width = PyText.Width(text, from);
                output.Append(text, from, width);
                from += width;
            }

            return output.Append(text, from, text.Length - from).ToString();
        }

        for (; count > 0; count--)
        {
            int found = text.IndexOf(old, from, StringComparison.Ordinal);
            if (found < 0)
                break;
            context.Allocate(2L * (found - from + replacement.Length));
            context.Step(1 + ((found - from) >> 8));
            output.Append(text, from, found - from).Append(replacement);
            from = found + old.Length;
        }

        if (from == 0)
            return text;
        context.AllocateText(text.Length - from);
        return output.Append(text, from, text.Length - from).ToString();
    }

    public static string Join(RenderContext context, string separator, object? items)
    {
        var parts = new List<string>();
        long length = 0;
        foreach (object? item in PyIteration.Iterate(context, items))
        {
            context.Allocate(16);
            if (PyText.Unmark(item) is not string text)
                throw context.TypeError($"join() takes strings; element {parts.Count} is {PyText.TypeName(item)}");
            parts.Add(text);
            length += text.Length + (parts.Count > 1 ? separator.Length : 0);
        }

        context.AllocateText(length);
        return string.Join(separator, parts);
    }

    public static string Pad(RenderContext context, string text, long left, long right, string fill)
    {
        context.AllocateText(left + right > int.MaxValue ? long.MaxValue / 4 : text.Length + (left + right) * fill.Length);
        if (fill.Length == 1)
            return string.Concat(new string(fill[0], (int)left), text, new string(fill[0], (int)right));
        return string.Concat(string.Concat(Enumerable.Repeat(fill, (int)left)), text, string.Concat(Enumerable.Repeat(fill, (int)right)));
    }

    public static List<string> SplitSpace(RenderContext context, string text, long limit = -1)
    {
        var parts = new List<string>();
        int at = 0;
        while (true)
        {
            while (at < text.Length && PyText.IsSpace(text[at]))
                at++;
            if (at == text.Length)
                return parts;
            int start = at;
            if (limit >= 0 && parts.Count == limit)
                at = PyText.Strip(text[start..], start: false).Length + start;
            else
                while (at < text.Length && !PyText.IsSpace(text[at]))
                    at++;
            context.AllocateText(at - start);
            parts.Add(text[start..at]);
            if (limit >= 0 && parts.Count > limit)
                return parts;
        }
    }

    private static Method Plain(Func<string, string> map) => (context, self, arguments) =>
    {
        arguments.Bind(0);
        context.AllocateText(self.Length);
        return map(self);
    };

    private static Method Is(Func<string, int, bool> passes) => (_, self, arguments) => Boxes.Of(PyText.All(Bare(arguments, self), passes));

    private static string Bare(Arguments arguments, string self)
    {
        arguments.Bind(0);
        return self;
    }

    private static string Strip(string self, Arguments arguments, bool start, bool end) =>
        arguments.Bind(0, "chars").Or(0, null) is null ? PyText.Strip(self, start, end) : PyText.Strip(self, arguments.Text(0), start, end);

    private static PyList Split(RenderContext context, string self, Arguments arguments, bool fromEnd)
    {
        long limit = arguments.Integer(1, -1);
        if (arguments.Or(0, null) is null)
        {
            if (!fromEnd || limit < 0)
                return Texts(context, SplitSpace(context, self, limit));
            return Texts(context, RightSplitSpace(context, self, limit));
        }

        string separator = arguments.Text(0);
        if (separator.Length == 0)
            throw context.TypeError("split() needs a separator that is not empty");
        ChargeSearch(context, self, separator);
        var parts = new List<string>();
        if (fromEnd)
        {
            int end = self.Length;
            while (limit < 0 || parts.Count < limit)
            {
                int found = end == 0 ? -1 : self.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal);
                if (found < 0)
                    break;
                AddPart(context, parts, self, found + separator.Length, end);
                end = found;
            }

            AddPart(context, parts, self, 0, end);
            parts.Reverse();
        }
        else
        {
            int start = 0;
            while (limit < 0 || parts.Count < limit)
            {
                int found = self.IndexOf(separator, start, StringComparison.Ordinal);
                if (found < 0)
                    break;
                AddPart(context, parts, self, start, found);
                start = found + separator.Length;
            }

            AddPart(context, parts, self, start, self.Length);
        }

        return Texts(context, parts);
    }

    private static void AddPart(RenderContext context, List<string> parts, string text, int from, int to)
    {
        context.Allocate(from == to ? 16 : 2L * (to - from) + 40);
        parts.Add(text[from..to]);
    }

    private static List<string> RightSplitSpace(RenderContext context, string text, long limit)
    {
        var parts = new List<string>();
        int end = text.Length;
        while (true)
        {
            while (end > 0 && PyText.IsSpace(text[end - 1]))
                end--;
            if (end == 0)
                break;
            int start = end;
            if (parts.Count == limit)
            {
                AddPart(context, parts, text, text.Length - PyText.Strip(text, end: false).Length, end);
                break;
            }

            while (start > 0 && !PyText.IsSpace(text[start - 1]))
                start--;
            AddPart(context, parts, text, start, end);
            end = start;
        }

        parts.Reverse();
        return parts;
    }

    private static PyTuple Partition(RenderContext context, string self, string separator, bool last)
    {
        if (separator.Length == 0)
            throw context.TypeError("partition() needs a separator that is not empty");
        ChargeSearch(context, self, separator);
        int found = last ? self.LastIndexOf(separator, StringComparison.Ordinal) : self.IndexOf(separator, StringComparison.Ordinal);
        if (found < 0)
            return last ? new PyTuple(["", "", self]) : new PyTuple([self, "", ""]);
        context.AllocateText(self.Length);
        return new PyTuple([self[..found], separator, self[(found + separator.Length)..]]);
    }

    // The part of the text that start and end leave, counted in code points.
    private static string Window(RenderContext context, string self, Arguments arguments, int first)
    {
        object? start = arguments.Or(first, null), end = arguments.Or(first + 1, null);
        return start is null && end is null ? self : (string)PyAccess.Slice(context, self, start, end, null)!;
    }

    private static object Affix(RenderContext context, string self, Arguments arguments, Func<string, string, bool> matches)
    {
        string text = Window(context, self, arguments, 1);
        if (arguments[0] is not PyTuple choices)
            return Boxes.Of(matches(text, arguments.Text(0)));
        foreach (object? choice in choices.Items)
        {
            context.Step();
            if (matches(text, PyText.Unmark(choice) as string ?? throw context.TypeError("a tuple of strings is needed")))
                return Boxes.True;
        }

        return Boxes.False;
    }

    private static long Find(RenderContext context, string self, Arguments arguments, bool last)
    {
        string part = arguments.Bind(1, "sub", "start", "end").Text(0);
        string text = Window(context, self, arguments, 1);
        ChargeSearch(context, text, part);
        int found = last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
        if (found < 0)
            return -1;
        long length = PyText.Length(self);
        long start = arguments.Or(1, null) is null ? 0 : arguments.Integer(1);
        if (start < 0)
            start = Math.Max(0, start + length);
        return start > length ? -1 : start + PyText.Length(text.AsSpan(0, found));
    }

    private static long Found(RenderContext context, long position) =>
        position >= 0 ? position : throw context.TypeError("index() did not find the text");

    private static object Count(RenderContext context, string self, Arguments arguments)
    {
        string part = arguments.Bind(1, "sub", "start", "end").Text(0);
        string text = Window(context, self, arguments, 1);
        ChargeSearch(context, text, part);
        return Boxes.Of(part.Length == 0 ? PyText.Length(text) + 1L : text.AsSpan().Count(part));
    }

    private static string ZeroFill(RenderContext context, string self, long width)
    {
        long missing = width - PyText.Length(self);
        if (missing <= 0)
            return self;
        bool signed = self.Length > 0 && self[0] is '+' or '-';
        return signed ? self[0] + Pad(context, self[1..], missing, 0, "0") : Pad(context, self, missing, 0, "0");
    }

    private static string Justify(RenderContext context, string self, Arguments arguments, Func<long, long, long> leftOf)
    {
        long width = arguments.Integer(0);
        string fill = arguments.Has(1) ? arguments.Text(1) : " ";
        if (PyText.Length(fill) != 1)
            throw context.TypeError("the fill character is exactly one character");
        long missing = width - PyText.Length(self);
        if (missing <= 0)
            return self;
        long left = leftOf(missing, width);
        return Pad(context, self, left, missing - left, fill);
    }

    private static string ExpandTabs(RenderContext context, string self, long size)
    {
        var output = new StringBuilder();
        long column = 0;
        foreach (char c in self)
        {
            if (c == '\t')
            {
                long blanks = size > 0 ? size - column % size : 0;
                context.AllocateText(blanks);
                output.Append(' ', (int)blanks);
                column += blanks;
                continue;
            }

            output.Append(c);
            column = c is '\n' or '\r' ? 0 : char.IsLowSurrogate(c) ? column : column + 1;
        }

        context.AllocateText(output.Length);
        return output.ToString();
    }
}
