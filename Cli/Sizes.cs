using System.Globalization;

namespace Portable.Cli;

/// <summary>Bytes as people write them, in powers of 1024.</summary>
internal static class Sizes
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>"1.5 GiB".</summary>
    public static string Text(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (Math.Abs(value) >= 1024 && unit < 4)
        {
            value /= 1024;
            unit++;
        }

        string number = unit == 0 ? bytes.ToString(CultureInfo.InvariantCulture) : value.ToString(value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);
        return $"{number} {Units[unit]}";
    }

    /// <summary>Reads "4096", "800M", "4GiB", "1.5gb".</summary>
    public static bool TryParse(string text, IFormatProvider format, out long bytes)
    {
        bytes = 0;
        string number = text.Trim().ToUpperInvariant();
        if (number.EndsWith('B'))
            number = number[..^1];
        if (number.EndsWith('I'))
            number = number[..^1];
        int power = number.Length == 0 ? -1 : "KMGT".IndexOf(number[^1], StringComparison.Ordinal);
        if (power >= 0)
            number = number[..^1];
        if (!decimal.TryParse(number.Trim(), NumberStyles.AllowDecimalPoint, format, out decimal value))
            return false;
        if (value > long.MaxValue / (1L << (10 * (power + 1))))
            return false;
        bytes = (long)(value * (1L << (10 * (power + 1))));
        return bytes > 0;
    }
}
