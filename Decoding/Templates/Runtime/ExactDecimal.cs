using System.Globalization;
using System.Numerics;

namespace Portable.Decoding.Templates;

/// <summary>Decimal forms of floats from their exact binary value, rounded half to even as C and Python do.</summary>
internal static class ExactDecimal
{
    /// <summary>The quotient of two integers, rounded half to even; the divisor is positive.</summary>
    public static BigInteger DivideHalfEven(BigInteger value, BigInteger divisor)
    {
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(value), divisor, out BigInteger rest);
        int half = (rest * 2).CompareTo(divisor);
        if (half > 0 || (half == 0 && !quotient.IsEven))
            quotient++;
        return value.Sign < 0 ? -quotient : quotient;
    }

    /// <summary>A finite float with a number of decimals; negative decimals round before the point.</summary>
    public static string Fixed(double value, int decimals)
    {
        BigInteger scaled = Scaled(Math.Abs(value), decimals);
        string digits = scaled.ToString(CultureInfo.InvariantCulture);
        string sign = double.IsNegative(value) ? "-" : "";
        if (decimals <= 0)
            return scaled.IsZero ? sign + "0" : sign + digits + new string('0', -decimals);
        digits = digits.PadLeft(decimals + 1, '0');
        return $"{sign}{digits[..^decimals]}.{digits[^decimals..]}";
    }

    /// <summary>The first significant digits of a positive finite float, and the decimal exponent of the first.</summary>
    public static string Significant(double value, int count, out int exponent)
    {
        if (value == 0)
        {
            exponent = 0;
            return new string('0', count);
        }

        // The estimate may be one off either way; rounding may carry into one digit more.
        exponent = (int)Math.Floor(Math.Log10(value));
        while (true)
        {
            string digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length == count)
                return digits;
            exponent += digits.Length > count ? 1 : -1;
        }
    }

    // value * 10^decimals as an integer.
    private static BigInteger Scaled(double value, int decimals)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger numerator = (bits & 0xFFFFFFFFFFFFF) | (exponent == 0 ? 0 : 1L << 52);
        exponent = Math.Max(exponent, 1) - 1075;
        BigInteger denominator = 1;
        if (exponent >= 0)
            numerator <<= exponent;
        else
            denominator <<= -exponent;
        if (decimals >= 0)
            numerator *= BigInteger.Pow(10, decimals);
        else
            denominator *= BigInteger.Pow(10, -decimals);
        return DivideHalfEven(numerator, denominator);
    }
}
