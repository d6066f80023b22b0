using System.Globalization;
using System.Numerics;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>Python's <c>str.format</c>; members are read by the sandbox's rules.</summary>
internal sealed class StringFormat(RenderContext context, object?[] positional, Func<string, object?> named)
{
    private int _next;

    public string Format(string format)
    {
        string text = Format(format, 2);
        context.AllocateText(text.Length);
        return text;
    }

    private string Format(string format, int levels)
    {
        if (levels == 0)
            throw context.TypeError("a format is nested too deeply");
        var output = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            if (c is '{' or '}' && at + 1 < format.Length && format[at + 1] == c)
            {
                output.Append(c);
                at++;
            }
            else if (c == '{')
            {
                int end = FieldEnd(format, at + 1);
                string field = Field(format[(at + 1)..end], levels);
                context.AllocateText(field.Length);
                output.Append(field);
                at = end;
            }
            else if (c == '}')
            {
                throw context.TypeError("a format has a '}' without '{'");
            }
            else
            {
                output.Append(c);
            }
        }

        return output.ToString();
    }

    private int FieldEnd(string format, int at)
    {
        int depth = 1;
        for (; at < format.Length; at++)
        {
            if (format[at] == '{')
                depth++;
            else if (format[at] == '}' && --depth == 0)
                return at;
        }

        throw context.TypeError("a format has a '{' without '}'");
    }

    private string Field(string field, int levels)
    {
        context.Step();
        int nameEnd = field.AsSpan().IndexOfAny('!', ':');
        string name = nameEnd < 0 ? field : field[..nameEnd];
        char conversion = '\0';
        string spec = "";
        if (nameEnd >= 0)
        {
            string rest = field[nameEnd..];
            if (rest[0] == '!')
            {
                if (rest.Length < 2 || (rest.Length > 2 && rest[2] != ':'))
                    throw context.TypeError("after '!' in a format stands one of r, s, a");
                conversion = rest[1];
                rest = rest[2..];
            }

            spec = rest.Length > 0 ? rest[1..] : "";
        }

        object? value = Value(name);
        switch (conversion)
        {
            case '\0':
                break;
            case 's':
                value = PyText.Str(context, value);
                break;
            case 'r' or 'a':
                var repr = new StringBuilder();
                PyText.Repr(context, repr, value);
                value = repr.ToString();
                break;
            default:
                throw context.TypeError($"'!{conversion}' is no conversion of a format");
        }

        return Apply(value, spec.Contains('{') ? Format(spec, levels - 1) : spec);
    }

    private object? Value(string name)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        object? value;
        if (first.Length == 0 || first.All(char.IsAsciiDigit))
        {
            int index = first.Length == 0 ? _next++ : int.TryParse(first, CultureInfo.InvariantCulture, out int given) ? given : int.MaxValue;
            value = index < positional.Length ? positional[index] : throw context.TypeError($"format() misses value {index}");
        }
        else
        {
            value = named(first);
        }

        for (int at = end < 0 ? name.Length : end; at < name.Length;)
        {
            if (name[at] == '.')
            {
                int stop = name.AsSpan(at + 1).IndexOfAny('.', '[');
                stop = stop < 0 ? name.Length : at + 1 + stop;
                value = PyAccess.Attribute(context, value, name[(at + 1)..stop]);
                at = stop;
            }
            else
            {
                int close = name.IndexOf(']', at);
                if (name[at] != '[' || close < 0)
                    throw context.TypeError("a field of a format is broken");
                string key = name[(at + 1)..close];
                value = PyAccess.Item(context, value, long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : key);
                at = close + 1;
            }
        }

        return value;
    }

    // [[fill]align][sign][#][0][width][grouping][.precision][type]
    private string Apply(object? value, string spec)
    {
        if (spec.Length == 0)
            return PyText.Str(context, value);
        value = value is Undefined ? "" : PyText.Unmark(value);
        int at = 0;
        string fill = " ";
        char align = '\0';
        int first = PyText.Width(spec, 0);
        if (spec.Length > first && "<>=^".Contains(spec[first]))
        {
            fill = spec[..first];
            align = spec[first];
            at = first + 1;
        }
        else if ("<>=^".Contains(spec[0]))
        {
            align = spec[at++];
        }

        char sign = at < spec.Length && "+- ".Contains(spec[at]) ? spec[at++] : '-';
        bool alternate = Skip(spec, ref at, '#');
        if (Skip(spec, ref at, '0') && align == '\0')
        {
            fill = "0";
            align = value is string ? '<' : '=';
        }

        long width = Number(spec, ref at) ?? 0;
        char grouping = at < spec.Length && spec[at] is ',' or '_' ? spec[at++] : '\0';
        int? precision = null;
        if (Skip(spec, ref at, '.'))
            precision = (int)(Number(spec, ref at) ?? throw context.TypeError("a format has a '.' without precision"));
        char type = at < spec.Length ? spec[at++] : '\0';
        if (at < spec.Length)
            throw context.TypeError($"'{spec}' is no format");
        string head = "", body;
        if (value is string text)
        {
            if (type is not ('\0' or 's') || align == '=' || grouping != '\0')
                throw context.TypeError($"the format '{spec}' does not go with a string");
            body = precision is { } most && most < PyText.Length(text) ? text[..PyText.Offset(text, most)] : text;
            align = align == '\0' ? '<' : align;
        }
        else if (PyNumber.IsNumber(value) && !(value is bool && type is '\0' or 's'))
        {
            bool negative = value is double real ? double.IsNegative(real) : PyNumber.Big(value!).Sign < 0;
            head = negative ? "-" : sign == '-' ? "" : sign.ToString();
            body = Digits(value!, type, precision, alternate, spec, ref head);
            if (grouping != '\0')
                body = Group(body, grouping, type is 'b' or 'o' or 'x' or 'X' ? 4 : 3);
            align = align == '\0' ? '>' : align;
        }
        else
        {
            throw context.TypeError($"the format '{spec}' does not go with {PyText.TypeName(value)}");
        }

        long missing = Math.Max(0, width - head.Length - PyText.Length(body));
        return align switch
        {
            '<' => TextMethods.Pad(context, head + body, 0, missing, fill),
            '^' => TextMethods.Pad(context, head + body, missing / 2, missing - missing / 2, fill),
            '=' => head + TextMethods.Pad(context, body, missing, 0, fill),
            _ => TextMethods.Pad(context, head + body, missing, 0, fill),
        };
    }

    private string Digits(object value, char type, int? precision, bool alternate, string spec, ref string head)
    {
        if (type == 'n')
            type = value is double ? 'g' : 'd';
        if (value is not double && type is '\0' or 'd' or 'b' or 'o' or 'x' or 'X' or 'c')
        {
            if (value is double || precision is not null)
                throw context.TypeError($"the format '{spec}' does not go with {PyText.TypeName(value)}");
            BigInteger number = BigInteger.Abs(PyNumber.Big(value));
            if (type == 'c')
                return number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF) ? char.ConvertFromUtf32((int)number) : throw context.TypeError("this number is no character");
            int radix = type switch { 'b' => 2, 'o' => 8, 'x' or 'X' => 16, _ => 10 };
            if (alternate && radix != 10)
                head += "0" + type;
            string digits = NumberFormat.Integer(number, radix);
            return type == 'X' ? digits.ToUpperInvariant() : digits;
        }

        double point = Math.Abs(PyNumber.Float(value));
        switch (type)
        {
            case '\0' when precision is null:
                return PyText.Float(point);
            case '\0':
                string general = NumberFormat.Float(context, point, 'g', precision, alternate);
                return double.IsFinite(point) && !general.Contains('.') && !general.Contains('e') ? general + ".0" : general;
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%':
                return NumberFormat.Float(context, point, type, precision, alternate);
            default:
                throw context.TypeError($"the format '{spec}' does not go with a number");
        }
    }

    private static bool Skip(string spec, ref int at, char c)
    {
        bool found = at < spec.Length && spec[at] == c;
        if (found)
            at++;
        return found;
    }

    private static long? Number(string spec, ref int at)
    {
        int start = at;
        long value = 0;
        for (; at < spec.Length && char.IsAsciiDigit(spec[at]); at++)
            value = Math.Min(value * 10 + spec[at] - '0', int.MaxValue);
        return at > start ? value : null;
    }

    private static string Group(string digits, char separator, int size)
    {
        int whole = digits.AsSpan().IndexOfAny('.', 'e', '%');
        if (whole < 0)
            whole = digits.Length;
        var output = new StringBuilder();
        for (int i = 0; i < whole; i++)
        {
            if (i > 0 && (whole - i) % size == 0)
                output.Append(separator);
            output.Append(digits[i]);
        }

        return output.Append(digits, whole, digits.Length - whole).ToString();
    }
}
