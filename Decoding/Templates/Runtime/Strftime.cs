using System.Globalization;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>C's <c>strftime</c> in the C locale, with glibc's flags <c>- _ 0 ^ #</c>, on a time without zone.</summary>
internal static class Strftime
{
    public static string Format(RenderContext context, DateTime time, string format)
    {
        var output = new StringBuilder();
        Append(output, time, format);
        context.AllocateText(output.Length);
        return output.ToString();
    }

    private static void Append(StringBuilder output, DateTime time, string format)
    {
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                output.Append(format[i]);
                continue;
            }

            int start = i++;
            char flag = "-_0^#".Contains(format[i]) ? format[i++] : '\0';
            string? text = i < format.Length ? Directive(time, format[i], flag) : null;
            output.Append(text ?? format[start..Math.Min(i + 1, format.Length)]);
        }
    }

    private static string? Directive(DateTime time, char directive, char flag)
    {
        DateTimeFormatInfo names = CultureInfo.InvariantCulture.DateTimeFormat;
        int hour12 = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        int day = (int)time.DayOfWeek, mondayBased = (day + 6) % 7;
        switch (directive)
        {
            case 'd':
                return Pad(time.Day, 2, '0', flag);
            case 'e':
                return Pad(time.Day, 2, ' ', flag);
            case 'm':
                return Pad(time.Month, 2, '0', flag);
            case 'y':
                return Pad(time.Year % 100, 2, '0', flag);
            case 'Y':
                return Pad(time.Year, 1, '0', flag);
            case 'C':
                return Pad(time.Year / 100, 2, '0', flag);
            case 'H':
                return Pad(time.Hour, 2, '0', flag);
            case 'k':
                return Pad(time.Hour, 2, ' ', flag);
            case 'I':
                return Pad(hour12, 2, '0', flag);
            case 'l':
                return Pad(hour12, 2, ' ', flag);
            case 'M':
                return Pad(time.Minute, 2, '0', flag);
            case 'S':
                return Pad(time.Second, 2, '0', flag);
            case 'j':
                return Pad(time.DayOfYear, 3, '0', flag);
            case 'u':
                return Pad(mondayBased + 1, 1, '0', flag);
            case 'w':
                return Pad(day, 1, '0', flag);
            case 'U':
                return Pad((time.DayOfYear + 6 - day) / 7, 2, '0', flag);
            case 'W':
                return Pad((time.DayOfYear + 6 - mondayBased) / 7, 2, '0', flag);
            case 'V':
                return Pad(ISOWeek.GetWeekOfYear(time), 2, '0', flag);
            case 'G':
                return Pad(ISOWeek.GetYear(time), 1, '0', flag);
            case 'g':
                return Pad(ISOWeek.GetYear(time) % 100, 2, '0', flag);
            case 'f':
                return Pad((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6, '0', '\0');
            case 's':
                return ((long)(time - DateTime.UnixEpoch).TotalSeconds).ToString(CultureInfo.InvariantCulture);
            case 'a':
                return Case(names.AbbreviatedDayNames[day], flag);
            case 'A':
                return Case(names.DayNames[day], flag);
            case 'b' or 'h':
                return Case(names.AbbreviatedMonthNames[time.Month - 1], flag);
            case 'B':
                return Case(names.MonthNames[time.Month - 1], flag);
            case 'p':
                return flag == '#' ? (time.Hour < 12 ? "am" : "pm") : time.Hour < 12 ? "AM" : "PM";
            case 'P':
                return Case(time.Hour < 12 ? "am" : "pm", flag == '^' ? '^' : '\0');
            case 'z' or 'Z':
                return "";
            case 'n':
                return "\n";
            case 't':
                return "\t";
            case '%':
                return "%";
            default:
                string? whole = directive switch
                {
                    'F' => "%Y-%m-%d",
                    'T' or 'X' => "%H:%M:%S",
                    'D' or 'x' => "%m/%d/%y",
                    'R' => "%H:%M",
                    'r' => "%I:%M:%S %p",
                    'c' => "%a %b %e %H:%M:%S %Y",
                    _ => null,
                };
                if (whole is null)
                    return null;
                var output = new StringBuilder();
                Append(output, time, whole);
                return Case(output.ToString(), flag);
        }
    }

    private static string Pad(int value, int width, char pad, char flag)
    {
        string digits = value.ToString(CultureInfo.InvariantCulture);
        return flag switch
        {
            '-' => digits,
            '_' => digits.PadLeft(width, ' '),
            '0' => digits.PadLeft(width, '0'),
            _ => digits.PadLeft(width, pad),
        };
    }

    private static string Case(string text, char flag) => flag is '^' or '#' ? text.ToUpperInvariant() : text;
}
