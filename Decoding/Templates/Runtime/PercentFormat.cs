using System.Numerics;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>Python's <c>format % values</c>.</summary>
internal static class PercentFormat
{
    public static string Format(RenderContext context, string format, object? values)
    {
        object?[] positional = values is PyTuple tuple ? tuple.Items : [values];
        int used = 0;
        var output = new StringBuilder();
        int at = 0;
        object? next() => used < positional.Length ? positional[used++] : throw context.TypeError("the format needs more values than there are");
        while (true)
        {
            int mark = format.IndexOf('%', at);
            if (mark < 0)
                break;
            output.Append(format, at, mark - at);
            at = mark + 1;
            object? value = null;
            bool keyed = false;
            if (at < format.Length && format[at] == '(')
            {
                int close = format.IndexOf(')', at);
                if (close < 0 || values is not PyDict dictionary)
                    throw context.TypeError("%(name) needs an object and a closing parenthesis");
                if (!dictionary.TryGet(format[(at + 1)..close], out value))
                    throw context.TypeError($"the format needs '{format[(at + 1)..close]}'");
                keyed = true;
                at = close + 1;
            }

            string flags = "";
            while (at < format.Length && "#0- +".Contains(format[at]))
            {
                if (flags.Length < 8)
                    flags += format[at];
                at++;
            }

            long width = Count(context, format, ref at, next) ?? 0;
            if (width < 0)
            {
                flags += '-';
                width = -Math.Max(width, -long.MaxValue);
            }

            long? precision = null;
            if (at < format.Length && format[at] == '.')
            {
                at++;
                precision = Math.Max(0, Count(context, format, ref at, next) ?? 0);
            }

            while (at < format.Length && format[at] is 'h' or 'l' or 'L')
                at++;
            if (at == format.Length)
                throw context.TypeError("the format ends inside a directive");
            char type = format[at++];
            if (type == '%')
            {
                output.Append('%');
                continue;
            }

            if (!keyed)
                value = next();
            (string sign, string text) = One(context, type, value, flags, precision);
            context.Step();
            long missing = Math.Max(0, width - sign.Length - PyText.Length(text));
            string padded = flags.Contains('-') ? TextMethods.Pad(context, sign + text, 0, missing, " ")
                : flags.Contains('0') && type is not ('s' or 'r' or 'a' or 'c') ? sign + TextMethods.Pad(context, text, missing, 0, "0")
                : TextMethods.Pad(context, sign + text, missing, 0, " ");
            output.Append(padded);
        }

        if (used < positional.Length && values is not (PyDict or PyList))
            throw context.TypeError("the format takes fewer values than there are");
        output.Append(format, at, format.Length - at);
        context.AllocateText(output.Length);
        return output.ToString();
    }

    private static long? Count(RenderContext context, string format, ref int at, Func<object?> next)
    {
        if (at < format.Length && format[at] == '*')
        {
            at++;
            return PyNumber.RequireIndex(context, next());
        }

        int start = at;
        long value = 0;
        for (; at < format.Length && char.IsAsciiDigit(format[at]); at++)
            value = Math.Min(value * 10 + format[at] - '0', int.MaxValue);
        return at > start ? value : null;
    }

    private static (string Sign, string Text) One(RenderContext context, char type, object? value, string flags, long? precision)
    {
        int? limit = precision is { } wanted ? (int)Math.Min(wanted, int.MaxValue) : null;
        switch (type)
        {
            case 's' or 'r' or 'a':
                string text;
                if (type == 's')
                {
                    text = PyText.Str(context, value);
                }
                else
                {
                    var repr = new StringBuilder();
                    PyText.Repr(context, repr, value);
                    text = repr.ToString();
                }

                return ("", limit is { } most && most < PyText.Length(text) ? text[..PyText.Offset(text, most)] : text);
            case 'c' when value is string single && PyText.Length(single) == 1:
                return ("", single);
            case 'c' when value is long code and >= 0 and <= 0x10FFFF:
                return ("", code is >= 0xD800 and < 0xE000 ? ((char)code).ToString() : char.ConvertFromUtf32((int)code));
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                if (!PyNumber.IsNumber(value) || (value is double && type is not ('d' or 'i' or 'u')))
                    break;
                BigInteger number = value is double real ? PyNumber.Big(PyNumber.Truncate(context, real)) : PyNumber.Big(value!);
                int radix = type is 'x' or 'X' ? 16 : type == 'o' ? 8 : 10;
                string digits = NumberFormat.Integer(BigInteger.Abs(number), radix);
                if (limit > digits.Length)
                    digits = TextMethods.Pad(context, digits, limit.Value - digits.Length, 0, "0");
                string prefix = flags.Contains('#') ? radix switch { 16 => "0x", 8 => "0o", _ => "" } : "";
                return type == 'X' ? (Sign(number.Sign < 0, flags) + prefix.ToUpperInvariant(), digits.ToUpperInvariant())
                    : (Sign(number.Sign < 0, flags) + prefix, digits);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (!PyNumber.IsNumber(value))
                    break;
                double point = PyNumber.Float(value!);
                return (Sign(double.IsNegative(point), flags), NumberFormat.Float(context, Math.Abs(point), type, limit, flags.Contains('#')));
            default:
                throw context.TypeError($"'%{type}' is no directive of a format");
        }

        if (value is Undefined undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        throw context.TypeError($"'%{type}' does not go with {PyText.TypeName(value)}");
    }

    private static string Sign(bool negative, string flags) => negative ? "-" : flags.Contains('+') ? "+" : flags.Contains(' ') ? " " : "";
}
