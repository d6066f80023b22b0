using System.Globalization;
using System.Net;
using System.Text;

namespace Portable.Decoding.Templates;

internal static partial class Filters
{
    private static object Trim(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "chars");
        string text = PyText.Str(context, value);
        context.AllocateText(text.Length);
        return arguments.Or(0, null) is null ? PyText.Strip(text) : PyText.Strip(text, arguments.Text(0));
    }

    private static Markup Escape(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        return value as Markup ?? new Markup(PyText.Escape(context, value));
    }

    private static string Replace(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(2, "old", "new", "count");
        long count = arguments.Or(2, null) is null ? -1 : arguments.Integer(2);
        return TextMethods.Replace(context, PyText.Str(context, value), PyText.Str(context, arguments[0]), PyText.Str(context, arguments[1]), count);
    }

    private static string Format(RenderContext context, object? value, Arguments arguments)
    {
        if (arguments.Positional.Length > 0 && arguments.Named.Count > 0)
            throw context.TypeError("format takes values by position or by name, not both");
        object values = new PyTuple(arguments.Positional);
        if (arguments.Named.Count > 0)
        {
            var named = new PyDict();
            foreach ((string name, object? argument) in arguments.Named)
                named.Set(name, argument);
            values = named;
        }

        return PercentFormat.Format(context, PyText.Str(context, value), values);
    }

    private static string Indent(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "width", "first", "blank");
        string indent = arguments.Or(0, 4L) is string given ? given
            : TextMethods.Pad(context, "", Math.Max(0, arguments.Integer(0, 4)), 0, " ");
        bool blank = arguments.Truth(2);
        List<string> lines = PyText.Lines(context, PyText.Str(context, value) + "\n");
        var output = new StringBuilder(arguments.Truth(1) ? indent : "");
        for (int i = 0; i < lines.Count; i++)
        {
            string before = i == 0 ? "" : blank || lines[i].Length > 0 ? indent : "";
            context.Allocate(2L * (before.Length + lines[i].Length + 1));
            if (i > 0)
                output.Append('\n').Append(before);
            output.Append(lines[i]);
        }

        return output.ToString();
    }

    private static string Truncate(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "length", "killwords", "end", "leeway");
        string text = PyText.Str(context, value);
        long length = arguments.Integer(0, 255);
        string end = arguments.Has(2) ? arguments.Text(2) : "...";
        long leeway = arguments.Or(3, null) is null ? 5 : arguments.Integer(3);
        int endLength = PyText.Length(end);
        if (length < endLength || leeway < 0)
            throw context.TypeError("truncate needs a length of at least that of its end, and no negative leeway");
        if (PyText.Length(text) <= length + leeway)
            return text;
        string kept = text[..PyText.Offset(text, (int)(length - endLength))];
        if (!arguments.Truth(1))
        {
            int blank = kept.LastIndexOf(' ');
            kept = blank < 0 ? kept : kept[..blank];
        }

        return PyText.Concat(context, kept, end);
    }

    // The shortest layout by words, line by line, as Python's textwrap does it.
    private static string WordWrap(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0, "width", "break_long_words", "wrapstring", "break_on_hyphens");
        int width = (int)Math.Min(arguments.Integer(0, 79), int.MaxValue);
        if (width <= 0)
            throw context.TypeError("wordwrap needs a width above 0");
        string newline = arguments.Or(2, null) is null ? "\n" : arguments.Text(2);
        var lines = new List<string>();
        foreach (string line in PyText.Lines(context, PyText.Str(context, value)))
        {
            int before = lines.Count;
            WrapLine(context, lines, line, width, arguments.Truth(1, true), arguments.Truth(3, true));
            if (lines.Count == before)
                lines.Add("");
        }

        long length = lines.Sum(line => (long)line.Length + newline.Length);
        context.AllocateText(length);
        return string.Join(newline, lines);
    }

    private static void WrapLine(RenderContext context, List<string> lines, string text, int width, bool breakLong, bool breakHyphens)
    {
        var line = new StringBuilder();
        int lineLength = 0;
        void flush()
        {
            string done = PyText.Strip(line.ToString(), start: false);
            line.Clear();
            lineLength = 0;
            if (done.Length == 0)
                return;
            context.AllocateText(done.Length);
            lines.Add(done);
        }

        foreach (string chunk in Chunks(context, text, breakHyphens))
        {
            string rest = chunk;
            int length = PyText.Length(rest);
            bool isSpace = PyText.IsSpace(rest[0]);
            if (isSpace && lineLength == 0 && lines.Count > 0)
                continue;
            if (lineLength + length > width && !isSpace && length <= width)
                flush();
            if (lineLength + length <= width)
            {
                line.Append(rest);
                lineLength += length;
                continue;
            }

            if (isSpace)
            {
                flush();
                continue;
            }

            if (!breakLong)
            {
                flush();
                line.Append(rest);
                lineLength = length;
                continue;
            }

            int at = 0;
            while (lineLength + length > width)
            {
                int taken = width - lineLength;
                int end = at;
                for (int i = 0; i < taken; i++)
                    end += PyText.Width(rest, end);
                line.Append(rest, at, end - at);
                lineLength = width;
                length -= taken;
                at = end;
                flush();
            }

            line.Append(rest, at, rest.Length - at);
            lineLength = length;
        }

        flush();
    }

    private static IEnumerable<string> Chunks(RenderContext context, string text, bool breakHyphens)
    {
        for (int at = 0; at < text.Length;)
        {
            int end = at + 1;
            bool isSpace = PyText.IsSpace(text[at]);
            while (end < text.Length && PyText.IsSpace(text[end]) == isSpace)
            {
                // A word breaks after a hyphen between letters.
                if (breakHyphens && end - at >= 2 && text[end - 1] == '-' && char.IsLetter(text[end - 2]) && char.IsLetter(text[end]))
                    break;
                end++;
            }

            context.AllocateText(end - at);
            yield return text[at..end];
            at = end;
        }
    }

    private static object WordCount(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        string text = PyText.Str(context, value);
        context.Step(text.Length >> 6);
        long count = 0;
        bool inWord = false;
        for (int at = 0; at < text.Length; at += PyText.Width(text, at))
        {
            bool isWord = text[at] == '_' || PyText.Category(text, at) is <= UnicodeCategory.OtherLetter or UnicodeCategory.DecimalDigitNumber
                or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
            if (isWord && !inWord)
                count++;
            inWord = isWord;
        }

        return Boxes.Of(count);
    }

    private static object Center(RenderContext context, object? value, Arguments arguments)
    {
        long width = arguments.Bind(0, "width").Integer(0, 80);
        string text = PyText.Str(context, value);
        long missing = Math.Max(0, width - PyText.Length(text));
        long left = missing / 2 + (missing & width & 1);
        return TextMethods.Pad(context, text, left, missing - left, " ");
    }

    // Words start after white space, a hyphen or an opening bracket.
    private static string Title(string text)
    {
        var output = new StringBuilder(text.Length);
        int start = 0;
        for (int at = 0; at <= text.Length; at++)
        {
            if (at < text.Length && !PyText.IsSpace(text[at]) && !"-({[<".Contains(text[at]))
                continue;
            string word = text[start..at];
            if (word.Length > 0)
            {
                int first = PyText.Width(word, 0);
                output.Append(PyText.Upper(word[..first])).Append(PyText.Lower(word[first..]));
            }

            if (at < text.Length)
                output.Append(text[at]);
            start = at + 1;
        }

        return output.ToString();
    }

    private static string StripTags(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        string text = RemoveBetween(RemoveBetween(PyText.Str(context, value), "<!--", "-->"), "<", ">");
        context.AllocateText(3L * text.Length);
        return WebUtility.HtmlDecode(string.Join(' ', TextMethods.SplitSpace(context, text)));
    }

    private static string RemoveBetween(string text, string open, string close)
    {
        var output = new StringBuilder(text.Length);
        int at = 0;
        while (true)
        {
            int start = text.IndexOf(open, at, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf(close, start, StringComparison.Ordinal);
            if (end < 0)
                return output.Append(text, at, text.Length - at).ToString();
            output.Append(text, at, start - at);
            at = end + close.Length;
        }
    }

    private static string UrlEncode(RenderContext context, object? value, Arguments arguments)
    {
        arguments.Bind(0);
        if (PyText.Unmark(value) is not (PyDict or PySequence or DictView or Generator))
            return Quote(context, PyText.Str(context, value), "/", "%20");
        IEnumerable<object?> pairs = value is PyDict dictionary ? new DictView(dictionary, DictViewKind.Items).Items : PyIteration.Iterate(context, value);
        var parts = new List<string>();
        foreach (object? pair in pairs)
        {
            object?[] both = PyIteration.Unpack(context, pair, 2);
            parts.Add($"{Quote(context, PyText.Str(context, both[0]), "", "+")}={Quote(context, PyText.Str(context, both[1]), "", "+")}");
        }

        return string.Join('&', parts);
    }

    private static string Quote(RenderContext context, string text, string safe, string blank)
    {
        context.AllocateText(9L * text.Length);
        var output = new StringBuilder(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || "_.-~".Contains(c) || safe.Contains(c))
                output.Append(c);
            else if (c == ' ')
                output.Append(blank);
            else
                output.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return output.ToString();
    }

    private static string FileSize(RenderContext context, object? value, Arguments arguments)
    {
        bool binary = arguments.Bind(0, "binary").Truth(0);
        object? number = ToFloat(context, value, new Arguments(context, "float", []));
        double bytes = number is double size ? size : 0;
        double unit = binary ? 1024 : 1000;
        if (bytes == 1)
            return "1 Byte";
        if (bytes < unit)
            return string.Create(CultureInfo.InvariantCulture, $"{(long)bytes} Bytes");
        string[] prefixes = binary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
        int prefix = 0;
        double scaled = bytes / unit;
        for (; scaled >= unit && prefix + 1 < prefixes.Length; prefix++)
            scaled /= unit;
        return $"{NumberFormat.Float(context, scaled, 'f', 1, false)} {prefixes[prefix]}";
    }

    private static string XmlAttributes(RenderContext context, object? value, Arguments arguments)
    {
        bool space = arguments.Bind(0, "autospace").Truth(0, true);
        if (value is not PyDict dictionary)
            throw context.TypeError($"xmlattr needs an object, not {PyText.TypeName(value)}");
        var parts = new List<string>();
        foreach ((object? key, object? member) in dictionary.Entries)
        {
            if (member is null or Undefined)
                continue;
            string name = PyText.Str(context, key);
            if (name.Any(c => PyText.IsSpace(c) || c is '/' or '>' or '='))
                throw context.TypeError("the name of an attribute holds a blank or one of / > =");
            parts.Add($"{PyText.Escape(context, name)}=\"{PyText.Escape(context, member)}\"");
        }

        context.AllocateText(parts.Sum(part => (long)part.Length + 1));
        return (space && parts.Count > 0 ? " " : "") + string.Join(' ', parts);
    }
}
