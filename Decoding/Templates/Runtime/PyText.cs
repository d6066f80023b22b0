using System.Globalization;
using System.Numerics;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>
/// Python's strings as templates see them: sequences of code points, though kept as UTF-16, and the text of every other
/// value (<c>str</c> and <c>repr</c>).
/// </summary>
internal static partial class PyText
{
    public static object? Unmark(object? value) => value is Markup marked ? marked.Text : value;

    public static string TypeName(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long or BigInteger => "an integer",
        double => "a float",
        string or Markup => "a string",
        PyList => "a list",
        PyTuple => "a tuple",
        PyDict => "an object",
        DictView => "a view of an object",
        PyRange => "a range",
        Generator => "a generator",
        Undefined => "an undefined value",
        PyNamespace => "a namespace",
        PyCallable callable => $"the function {callable.Name}",
        _ => "a value of another type",
    };

    /// <summary>Python's <c>str(value)</c>.</summary>
    public static string Str(RenderContext context, object? value)
    {
        switch (value)
        {
            case string text:
                return text;
            case Markup marked:
                return marked.Text;
            case Undefined:
                return "";
            case long number:
                return number.ToString(CultureInfo.InvariantCulture);
            default:
                var output = new StringBuilder();
                Repr(context, output, value);
                context.AllocateText(output.Length);
                return output.ToString();
        }
    }

    /// <summary>Python's <c>repr(value)</c>, appended.</summary>
    public static void Repr(RenderContext context, StringBuilder output, object? value)
    {
        context.Step();
        if (output.Length > context.Options.MaxMemory / 4)
            throw context.Error(TemplateErrorKind.Limit, "the text of a value is too long");
        switch (value)
        {
            case null:
                output.Append("None");
                break;
            case bool truth:
                output.Append(truth ? "True" : "False");
                break;
            case long or BigInteger:
                output.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                output.Append(Float(number));
                break;
            case string text:
                ReprText(context, output, text);
                break;
            case Markup marked:
                output.Append("Markup(");
                ReprText(context, output, marked.Text);
                output.Append(')');
                break;
            case Undefined:
                output.Append("Undefined");
                break;
            case PyList list:
                ReprItems(context, output, "[", list.Items, "]");
                break;
            case PyTuple tuple:
                ReprItems(context, output, "(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")");
                break;
            case PyDict dictionary:
                context.Enter(3);
                output.Append('{');
                string separator = "";
                foreach ((object? key, object? member) in dictionary.Entries)
                {
                    output.Append(separator);
                    Repr(context, output, key);
                    output.Append(": ");
                    Repr(context, output, member);
                    separator = ", ";
                }

                output.Append('}');
                context.Leave(3);
                break;
            case DictView view:
                output.Append(view.Kind switch { DictViewKind.Keys => "dict_keys(", DictViewKind.Values => "dict_values(", _ => "dict_items(" });
                ReprItems(context, output, "[", view.Items, "]");
                output.Append(')');
                break;
            case PyRange range:
                output.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                output.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case Macro macro:
                output.Append("<Macro ");
                ReprText(context, output, macro.Name);
                output.Append('>');
                break;
            default:
                output.Append('<').Append(TypeName(value)).Append('>');
                break;
        }
    }

    /// <summary>A float as Python's <c>repr</c>: the shortest digits that read back, an exponent from 1e16 and below 1e-4.</summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        string round = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int mark = round.IndexOf('E');
        int exponent = PointOf(mark < 0 ? round : round[..mark]);
        if (mark >= 0)
            exponent += int.Parse(round.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string digits = (mark < 0 ? round : round[..mark]).Replace(".", "").TrimStart('0').TrimEnd('0');
        if (digits.Length == 0)
            digits = "0";
        string sign = double.IsNegative(value) ? "-" : "";
        if (exponent is < -4 or >= 16)
        {
            string power = Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{power}";
        }

        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        digits = digits.PadRight(exponent + 1, '0');
        string fraction = digits[(exponent + 1)..];
        return $"{sign}{digits[..(exponent + 1)]}.{(fraction.Length == 0 ? "0" : fraction)}";
    }

    // The decimal exponent of the first non-zero digit of plain decimal text.
    private static int PointOf(string text)
    {
        int point = text.IndexOf('.');
        if (point < 0)
            point = text.Length;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('0' or '.'))
                return i < point ? point - i - 1 : point - i;
        }

        return 0;
    }

    public static string Concat(RenderContext context, string a, string b)
    {
        context.AllocateText((long)a.Length + b.Length);
        return string.Concat(a, b);
    }

    /// <summary>HTML escapes of <c>escape</c>; text already marked safe stays as it is.</summary>
    public static string Escape(RenderContext context, object? value)
    {
        if (value is Markup marked)
            return marked.Text;
        string text = Str(context, value);
        if (text.AsSpan().IndexOfAny("&<>\"'") < 0)
            return text;
        context.AllocateText(5L * text.Length);
        return text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&#34;").Replace("'", "&#39;");
    }

    private static void ReprItems(RenderContext context, StringBuilder output, string open, IEnumerable<object?> items, string close)
    {
        context.Enter(3);
        output.Append(open);
        string separator = "";
        foreach (object? item in items)
        {
            output.Append(separator);
            Repr(context, output, item);
            separator = ", ";
        }

        output.Append(close);
        context.Leave(3);
    }

    private static void ReprText(RenderContext context, StringBuilder output, string text)
    {
        context.Step(text.Length >> 7);
        if (output.Length + (long)text.Length > context.Options.MaxMemory / 4)
            throw context.Error(TemplateErrorKind.Limit, "the text of a value is too long");
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        output.Append(quote);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == quote || c == '\\')
                output.Append('\\').Append(c);
            else if (c is >= ' ' and < '\x7f')
                output.Append(c);
            else if (c == '\n')
                output.Append("\\n");
            else if (c == '\r')
                output.Append("\\r");
            else if (c == '\t')
                output.Append("\\t");
            else
                ReprOther(output, text, ref i);
        }

        output.Append(quote);
    }

    private static void ReprOther(StringBuilder output, string text, ref int i)
    {
        bool pair = char.IsSurrogatePair(text, i);
        int codePoint = pair ? char.ConvertToUtf32(text, i) : text[i];
        if (CharUnicodeInfo.GetUnicodeCategory(text, i) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator))
        {
            output.Append(text, i, pair ? 2 : 1);
        }
        else
        {
            string hex = codePoint.ToString("x", CultureInfo.InvariantCulture);
            output.Append(codePoint switch
            {
                < 0x100 => "\\x" + hex.PadLeft(2, '0'),
                < 0x10000 => "\\u" + hex.PadLeft(4, '0'),
                _ => "\\U" + hex.PadLeft(8, '0'),
            });
        }

        if (pair)
            i++;
    }
}
