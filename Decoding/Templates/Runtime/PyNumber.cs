using System.Globalization;
using System.Numerics;

namespace Portable.Decoding.Templates;

/// <summary>Python's numbers: integers of any (bounded) size, floats, and booleans as 0 and 1.</summary>
internal static class PyNumber
{
    /// <summary>The longest integer, in decimal digits: what Python too reads and prints at most.</summary>
    public const int MaxDigits = 4300;

    private const int MaxBits = 14_300;

    public static bool IsNumber(object? value) => value is long or double or bool or BigInteger;

    public static bool IsInteger(object? value) => value is long or bool or BigInteger;

    public static BigInteger Big(object value) => value switch
    {
        long small => small,
        bool truth => truth ? 1 : 0,
        BigInteger big => big,
        _ => new BigInteger((double)value),
    };

    public static double Float(object value) => value switch
    {
        double number => number,
        long small => small,
        bool truth => truth ? 1 : 0,
        _ => (double)(BigInteger)value,
    };

    /// <summary>An integer result in its smallest form.</summary>
    public static object Normal(RenderContext context, BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
            return Boxes.Of((long)value);
        return value.GetBitLength() <= MaxBits ? value
            : throw context.Error(TemplateErrorKind.Limit, $"an integer has more than {MaxDigits} digits");
    }

    /// <summary>An integer used as a count, a width or an index, clamped to 64 bits.</summary>
    public static long RequireIndex(RenderContext context, object? value) => value switch
    {
        long small => small,
        bool truth => truth ? 1 : 0,
        BigInteger big => big.Sign < 0 ? long.MinValue : long.MaxValue,
        Undefined undefined => throw context.Error(undefined.Kind, undefined.Hint),
        _ => throw context.TypeError($"an integer is needed, not {PyText.TypeName(value)}"),
    };

    public static object? Binary(RenderContext context, char op, object? a, object? b)
    {
        if (a is Undefined undefinedA)
            throw context.Error(undefinedA.Kind, undefinedA.Hint);
        if (b is Undefined undefinedB && !(op == '%' && a is string or Markup))
            throw context.Error(undefinedB.Kind, undefinedB.Hint);
        if (IsNumber(a) && IsNumber(b))
            return a is double || b is double ? FloatBinary(context, op, Float(a!), Float(b!)) : IntegerBinary(context, op, a!, b!);
        switch (op)
        {
            case '+' when a is Markup || b is Markup:
                if (PyText.Unmark(a) is string && PyText.Unmark(b) is string)
                    return new Markup(PyText.Concat(context, PyText.Escape(context, a), PyText.Escape(context, b)));
                break;
            case '+' when a is string x && b is string y:
                return PyText.Concat(context, x, y);
            case '+' when a is PyList x && b is PyList y:
                context.AllocateList((long)x.Items.Length + y.Items.Length);
                return new PyList([.. x.Items, .. y.Items]);
            case '+' when a is PyTuple x && b is PyTuple y:
                context.AllocateList((long)x.Items.Length + y.Items.Length);
                return new PyTuple([.. x.Items, .. y.Items]);
            case '*' when IsInteger(b):
                if (Repeat(context, a, RequireIndex(context, b)) is { } repeated)
                    return repeated;
                break;
            case '*' when IsInteger(a):
                if (Repeat(context, b, RequireIndex(context, a)) is { } repeatedB)
                    return repeatedB;
                break;
            case '%' when PyText.Unmark(a) is string format:
                return PercentFormat.Format(context, format, b);
        }

        string name = op switch { 'f' => "//", 'p' => "**", _ => op.ToString() };
        throw context.TypeError($"'{name}' does not go with {PyText.TypeName(a)} and {PyText.TypeName(b)}");
    }

    public static object Negate(RenderContext context, object? value, bool negative) => value switch
    {
        Undefined undefined => throw context.Error(undefined.Kind, undefined.Hint),
        double number => negative ? -number : number,
        long or bool or BigInteger => Normal(context, negative ? -Big(value) : Big(value)),
        _ => throw context.TypeError($"a sign does not go with {PyText.TypeName(value)}"),
    };

    /// <summary>Python's <c>round</c>: half to even, on the exact value of a float.</summary>
    public static object Round(RenderContext context, object value, long digits)
    {
        if (value is double number)
        {
            if (!double.IsFinite(number) || digits > 330)
                return number;
            return digits < -330 ? 0.0 * number
                : double.Parse(ExactDecimal.Fixed(number, (int)digits), NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        if (digits >= 0)
            return Normal(context, Big(value));
        if (digits < -MaxDigits)
            return Boxes.Of(0L);
        BigInteger unit = BigInteger.Pow(10, (int)-digits);
        return Normal(context, ExactDecimal.DivideHalfEven(Big(value), unit) * unit);
    }

    /// <summary>The integer part of a number or of text in a base; null where Python raises ValueError or TypeError.</summary>
    public static object? ParseInteger(RenderContext context, string text, int radix)
    {
        ReadOnlySpan<char> digits = PyText.Strip(text).AsSpan();
        bool negative = digits.StartsWith("-");
        if (negative || digits.StartsWith("+"))
            digits = digits[1..];
        int prefixed = digits.Length > 1 && digits[0] == '0'
            ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 }
            : 0;
        if (prefixed != 0 && (radix == 0 || radix == prefixed))
        {
            digits = digits[2..];
            radix = prefixed;
            if (digits.StartsWith("_"))
                digits = digits[1..];
        }
        else if (radix == 0)
        {
            radix = 10;
        }

        if (digits.IsEmpty || radix is < 2 or > 36)
            return null;
        if (digits.Length > MaxDigits)
            throw context.Error(TemplateErrorKind.Limit, $"an integer has more than {MaxDigits} digits");
        BigInteger value = 0;
        bool digitBefore = false;
        foreach (char c in digits)
        {
            if (c == '_' && digitBefore)
            {
                digitBefore = false;
                continue;
            }

            int digit = char.IsAsciiLetter(c) ? (c | 0x20) - 'a' + 10 : CharUnicodeInfo.GetDecimalDigitValue(c);
            if (digit < 0 || digit >= radix)
                return null;
            value = value * radix + digit;
            digitBefore = true;
        }

        return digitBefore ? Normal(context, negative ? -value : value) : null;
    }

    /// <summary>A float as Python's <c>float()</c> reads it from text; null where it raises ValueError.</summary>
    public static double? ParseFloat(string text)
    {
        string trimmed = PyText.Strip(text);
        switch (trimmed.TrimStart('+', '-').ToLowerInvariant())
        {
            case "inf" or "infinity" when trimmed.Length - trimmed.TrimStart('+', '-').Length <= 1:
                return trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            case "nan" when trimmed.Length - trimmed.TrimStart('+', '-').Length <= 1:
                return double.NaN;
        }

        for (int i = 0; i < trimmed.Length; i++)
        {
            bool inner = i > 0 && i + 1 < trimmed.Length && char.IsAsciiDigit(trimmed[i - 1]) && char.IsAsciiDigit(trimmed[i + 1]);
            if (!char.IsAsciiDigit(trimmed[i]) && trimmed[i] is not ('.' or 'e' or 'E' or '+' or '-') && !(trimmed[i] == '_' && inner))
                return null;
        }

        return double.TryParse(trimmed.Replace("_", ""), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null;
    }

    /// <summary>The integer part of a float.</summary>
    public static object Truncate(RenderContext context, double value) => double.IsFinite(value)
        ? Normal(context, new BigInteger(Math.Truncate(value)))
        : throw context.TypeError("infinity and NaN have no integer value");

    private static object? Repeat(RenderContext context, object? value, long count)
    {
        count = Math.Max(0, count);
        switch (value)
        {
            case Markup marked:
                return new Markup((string)Repeat(context, marked.Text, count)!);
            case string text:
                context.AllocateText(Product(context, text.Length, count));
                return text.Length == 1 ? new string(text[0], (int)count) : new System.Text.StringBuilder().Insert(0, text, text.Length == 0 ? 0 : (int)count).ToString();
            case PySequence sequence:
                long total = Product(context, sequence.Items.Length, count);
                context.AllocateList(total);
                var items = new object?[total];
                for (long at = 0; at < total; at += sequence.Items.Length)
                    sequence.Items.CopyTo(items, at);
                return sequence is PyList ? new PyList(items) : new PyTuple(items);
            default:
                return null;
        }
    }

    private static long Product(RenderContext context, int length, long count) =>
        length == 0 ? 0
        : count <= int.MaxValue / length ? length * count
        : throw context.Error(TemplateErrorKind.Limit, "a repeated value is too long");

    private static object IntegerBinary(RenderContext context, char op, object a, object b)
    {
        if (a is long x && b is long y)
        {
            switch (op)
            {
                case '+' when !Overflows(x + y, x, y):
                    return Boxes.Of(x + y);
                case '-' when (((x ^ y) & (x ^ (x - y))) >= 0):
                    return Boxes.Of(x - y);
                case '*' when Math.BigMul(x, y, out long low) == low >> 63:
                    return Boxes.Of(low);
                case '%' when y > 0:
                    long rest = x % y;
                    return Boxes.Of(rest < 0 ? rest + y : rest);
            }
        }

        BigInteger left = Big(a), right = Big(b);
        switch (op)
        {
            case '+':
                return Normal(context, left + right);
            case '-':
                return Normal(context, left - right);
            case '*':
                context.Step((left.GetBitLength() + right.GetBitLength()) >> 8);
                return Normal(context, left * right);
            case '/':
                return right.IsZero ? throw ZeroDivision(context) : Quotient(context, left, right);
            case 'f':
                return Normal(context, FloorDivide(context, left, right, out _));
            case '%':
                FloorDivide(context, left, right, out BigInteger remainder);
                return Normal(context, remainder);
            default:
                return IntegerPower(context, left, right);
        }
    }

    private static bool Overflows(long sum, long a, long b) => ((a ^ sum) & (b ^ sum)) < 0;

    private static double Quotient(RenderContext context, BigInteger left, BigInteger right)
    {
        if (BigInteger.Abs(left) <= 1L << 53 && BigInteger.Abs(right) <= 1L << 53)
            return (double)left / (double)right;

        // Scale so that the integer quotient has 66 or more bits, its last one sticky: the conversion then rounds once.
        int shift = (int)Math.Max(0, 66 + right.GetBitLength() - left.GetBitLength());
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(left) << shift, BigInteger.Abs(right), out BigInteger rest);
        if (!rest.IsZero)
            quotient |= 1;
        double result = Math.ScaleB(RoundToDouble(quotient, out int exponent), exponent - shift);
        if (double.IsInfinity(result))
            throw context.TypeError("the quotient is too large for a float");
        return left.Sign * right.Sign < 0 ? -result : result;
    }

    private static double RoundToDouble(BigInteger value, out int exponent)
    {
        exponent = (int)Math.Max(0, value.GetBitLength() - 66);
        BigInteger top = value >> exponent;
        if (top << exponent != value)
            top |= 1;
        int drop = (int)Math.Max(0, top.GetBitLength() - 53);
        BigInteger unit = BigInteger.One << drop;
        exponent += drop;
        return (double)ExactDecimal.DivideHalfEven(top, unit);
    }

    private static BigInteger FloorDivide(RenderContext context, BigInteger left, BigInteger right, out BigInteger remainder)
    {
        if (right.IsZero)
            throw ZeroDivision(context);
        BigInteger quotient = BigInteger.DivRem(left, right, out remainder);
        if (!remainder.IsZero && remainder.Sign != right.Sign)
        {
            quotient--;
            remainder += right;
        }

        return quotient;
    }

    private static object IntegerPower(RenderContext context, BigInteger value, BigInteger power)
    {
        if (power.Sign < 0)
            return FloatBinary(context, 'p', (double)value, (double)power);
        if (value.IsOne || value.IsZero || value == BigInteger.MinusOne)
            return Normal(context, power.IsZero ? 1 : power.IsEven ? value * value : value);
        if (power > MaxBits || (value.GetBitLength() - 1) * (long)power > MaxBits)
            throw context.Error(TemplateErrorKind.Limit, $"an integer has more than {MaxDigits} digits");
        context.Step(64);
        return Normal(context, BigInteger.Pow(value, (int)power));
    }

    private static object FloatBinary(RenderContext context, char op, double a, double b)
    {
        switch (op)
        {
            case '+':
                return a + b;
            case '-':
                return a - b;
            case '*':
                return a * b;
            case '/':
                return b == 0 ? throw ZeroDivision(context) : a / b;
            case 'f' or '%':
                if (b == 0)
                    throw ZeroDivision(context);
                double rest = a % b;
                double quotient = (a - rest) / b;
                if (rest != 0 && rest < 0 != b < 0)
                {
                    rest += b;
                    quotient -= 1;
                }
                else if (rest == 0)
                {
                    rest = Math.CopySign(0, b);
                }

                if (op == '%')
                    return rest;
                double floor = Math.Floor(quotient);
                return quotient - floor > 0.5 ? floor + 1 : quotient == 0 ? Math.CopySign(0, a / b) : floor;
            default:
                if (a == 0 && b < 0)
                    throw ZeroDivision(context);
                if (a < 0 && double.IsFinite(a) && double.IsFinite(b) && b != Math.Floor(b))
                    throw context.TypeError("a negative number to a fractional power is complex");
                double power = Math.Pow(a, b);
                return double.IsInfinity(power) && double.IsFinite(a) && double.IsFinite(b)
                    ? throw context.TypeError("the power is too large for a float")
                    : power;
        }
    }

    private static TemplateException ZeroDivision(RenderContext context) => context.TypeError("division by zero");
}
