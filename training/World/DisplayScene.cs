using System.Globalization;
using SkiaSharp;

namespace Portable.Training.World;

/// <summary>One run of characters to read: a meter, a ticket, a price label or a sign.</summary>
internal static class DisplayScene
{
    public static Picture Draw(int width, int height, WorldRandom random, double level)
    {
        bool dark = random.Chance(0.35);
        using var canvas = new Canvas(width, height, random, dark);
        SKColor ink = Palette.Jitter(dark ? new SKColor(228, 228, 215) : new SKColor(24, 24, 24), random, 22);
        if (random.Chance(0.15))
            ink = dark ? Palette.Jitter(new SKColor(120, 230, 130), random, 20) : Palette.Paint(random.Of([0, 2, 4]), random);

        var questions = new List<Question>();
        string text = Text(random, level, questions);
        float room = width - 14;
        using SKFont font = Canvas.Fit(Fonts.Any(random), random.Between(18f, 30f), text, room);
        float wide = font.MeasureText(text), tall = font.Metrics.Descent - font.Metrics.Ascent;
        float x = random.Between(6f, Math.Max(6.5f, width - 6 - wide)), top = random.Between(3f, Math.Max(3.5f, height - 3 - tall));
        if (random.Chance(0.4))
            canvas.Frame(3, 3, width - 6, height - 6, ink, random.Between(1f, 2f), random.Chance(0.5) ? 6 : 0);
        canvas.Text(x, top, text, font, ink);
        return canvas.Finish(questions, [.. text.Select((glyph, i) => new Lookup(questions[0].Category, $"#{i + 1}", $"{glyph}"))]);
    }

    private static string Text(WorldRandom random, double level, List<Question> questions)
    {
        double kind = random.Unit() * (level < 0.25 ? 0.34 : 1);
        if (kind < 0.34)
        {
            int digits = level < 1 ? random.Between(1, Math.Max(2, (int)Math.Round(2 + 4 * level))) : random.Between(3, 6);
            string number = string.Concat(Enumerable.Range(0, digits).Select(_ => (char)random.Between('0', '9')));
            if (level > Scene.Whole)
                number = Repeat(number, random);
            if (random.Chance(level > Scene.Whole ? 0.3 : 0.1) && digits > 2)
                number = number[..^1] + "." + number[^1];
            Both(questions, Category.Number, "What does the meter read?", "读数是多少?", number);
            Both(questions, Category.Number, "What number is shown?", "显示的数字是多少?", number);
            return number;
        }

        if (kind < 0.56)
        {
            string date = string.Create(CultureInfo.InvariantCulture, $"{random.Between(2015, 2031)}-{random.Between(1, 12):00}-{random.Between(1, 28):00}");
            Both(questions, Category.Date, "What is the date?", "日期是哪天?", date);
            Both(questions, Category.Date, "Which day is printed?", "印的是哪一天?", date);
            return date;
        }

        if (kind < 0.78)
        {
            string amount = string.Create(CultureInfo.InvariantCulture, $"{(random.Chance(0.7) ? "$" : "")}{random.Between(0, random.Chance(0.5) ? 99 : 999)}.{random.Between(0, 99):00}");
            Both(questions, Category.Amount, "What is the price?", "价格是多少?", amount);
            Both(questions, Category.Amount, "How much does it cost?", "要付多少钱?", amount);
            return amount;
        }

        string word = random.Of(Palette.Words);
        Both(questions, Category.Word, "What does the sign say?", "牌子上写的是什么?", word);
        Both(questions, Category.Word, "Which word is shown?", "显示的是哪个词?", word);
        return word;
    }

    /// <summary>A digit twice, and the same twice with another between, are what is misread longest.</summary>
    private static string Repeat(string number, WorldRandom random)
    {
        char[] digits = number.ToCharArray();
        for (int i = 1; i < digits.Length; i++)
        {
            if (random.Chance(0.2))
                digits[i] = digits[i - 1];
            else if (i > 1 && random.Chance(0.1))
                digits[i] = digits[i - 2];
        }

        return new string(digits);
    }

    private static void Both(List<Question> questions, Category category, string english, string chinese, string answer)
    {
        questions.Add(new(category, "en", english, answer));
        questions.Add(new(category, "zh", chinese, answer));
    }
}
