using System.Globalization;
using System.Numerics;

namespace Portable.Decoding.Templates;

/// <summary>Digits of numbers for Python's two ways of formatting.</summary>
internal static class NumberFormat
{
    private const int MaxPrecision = 1000;

    /// <summary>An absolute float by type e, f, g or %, in C's forms.</summary>
    public static string Float(RenderContext context, double value, char type, int? precision, bool alternate)
    {
        int digits = precision ?? 6;
        if (digits > MaxPrecision)
            throw context.Error(TemplateErrorKind.Limit, $"a precision is above {MaxPrecision}");
        bool upper = char.IsAsciiLetterUpper(type);
        if (!double.IsFinite(value))
            return (double.IsNaN(value) ? "nan" : "inf") is var name && upper ? name.ToUpperInvariant() : name;
        string text = char.ToLowerInvariant(type) switch
        {
            'f' => ExactDecimal.Fixed(value, digits) + (alternate && digits == 0 ? "." : ""),
            '%' => Percent(value, digits),
            'e' => Scientific(ExactDecimal.Significant(value, digits + 1, out int exponent), exponent, alternate),
            _ => General(value, Math.Max(1, digits), alternate),
        };
        return upper ? text.ToUpperInvariant() : text;
    }

    /// <summary>An absolute integer in a base of 2, 8, 10 or 16.</summary>
    public static string Integer(BigInteger value, int radix)
    {
        if (radix == 10)
            return value.ToString(CultureInfo.InvariantCulture);
        string hex = value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
        if (radix == 16)
            return hex.Length == 0 ? "0" : hex;
        string bits = string.Concat(hex.Select(c => Convert.ToString(Convert.ToInt32(c.ToString(), 16), 2).PadLeft(4, '0'))).TrimStart('0');
        if (radix == 8)
        {
            bits = bits.PadLeft((bits.Length + 2) / 3 * 3, '0');
            return bits.Length == 0 ? "0" : string.Concat(bits.Chunk(3).Select(three => (char)('0' + (three[0] - '0') * 4 + (three[1] - '0') * 2 + (three[2] - '0'))));
        }

        return bits.Length == 0 ? "0" : bits;
    }

    // The product rounds once, as in C; past the range of floats the text says so.
    private static string Percent(double value, int digits) =>
        double.IsFinite(value * 100) ? ExactDecimal.Fixed(value * 100, digits) + "%" : "inf%";

    private static string Scientific(string digits, int exponent, bool alternate) => string.Create(CultureInfo.InvariantCulture,
        $"{digits[0]}{(digits.Length > 1 || alternate ? "." : "")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");

    private static string General(double value, int precision, bool alternate)
    {
        string digits = ExactDecimal.Significant(value, precision, out int exponent);
        if (exponent < -4 || exponent >= precision)
            return Scientific(alternate ? digits : digits[0] + digits[1..].TrimEnd('0'), exponent, alternate);
        string text = ExactDecimal.Fixed(value, precision - 1 - exponent);
        return alternate || !text.Contains('.') ? text : text.TrimEnd('0').TrimEnd('.');
    }
}
