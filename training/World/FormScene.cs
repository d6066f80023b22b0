using System.Globalization;
using SkiaSharp;

namespace Portable.Training.World;

/// <summary>A receipt with items and their total, or a form with a few filled fields.</summary>
internal static class FormScene
{
    private sealed record Field(string Label, string Value, string English, string Chinese);

    public static Picture Draw(int width, int height, WorldRandom random, double level)
    {
        using var canvas = new Canvas(width, height, random);
        SKColor ink = Palette.Jitter(new SKColor(24, 24, 24), random, 20);
        SKTypeface face = Fonts.Any(random);
        bool receipt = random.Chance(0.6);
        List<Field> fields = receipt ? Receipt(random, level) : Form(random, level);
        float size = random.Between(13f, 16f), line = size * random.Between(1.3f, 1.55f), y = random.Between(4f, 9f);
        int lines = fields.Count + 1;
        line = Math.Min(line, (height - y - 4) / (lines + 0.3f));
        if (random.Chance(0.6))
        {
            string title = receipt ? random.Of(["RECEIPT", "CAFE", "SHOP", "BILL"]) : random.Of(["FORM", "CARD", "TICKET", "PASS"]);
            using SKFont font = Canvas.Fit(face, size + 1, title, width - 12);
            canvas.Text(random.Between(6f, Math.Max(6.5f, width - 8 - font.MeasureText(title))), y, title, font, ink);
            y += line * 1.1f;
        }

        bool atRight = receipt || random.Chance(0.35);
        string colon = receipt ? "" : random.Of(["", ":", ":"]);
        float column = 0;
        foreach (Field field in fields)
        {
            using SKFont font = Canvas.Fit(face, size, field.Label + colon, width * 0.5f);
            column = Math.Max(column, font.MeasureText(field.Label + colon));
        }

        for (int i = 0; i < fields.Count; i++)
        {
            if (receipt && i == fields.Count - 1)
            {
                canvas.Line(6, y + 1, width - 8, y + 1, new SKColor(90, 90, 90));
                y += 4;
            }

            string label = fields[i].Label + colon, value = fields[i].Value;
            using SKFont font = Canvas.Fit(face, size, label + "  " + value, width - 14);
            canvas.Text(6, y, label, font, ink, i);
            float wide = font.MeasureText(value);
            canvas.Text(atRight ? width - 8 - wide : Math.Min(6 + column + 8, width - 8 - wide), y, value, font, ink, i);
            y += line;
        }

        var questions = new List<Question>();
        foreach (Field field in random.Some(fields, 3).Append(fields[^1]).Distinct())
        {
            questions.Add(new(Category.Form, "en", field.English, field.Value));
            questions.Add(new(Category.Form, "zh", field.Chinese, field.Value));
        }

        if (receipt)
        {
            string items = (fields.Count - 1).ToString(CultureInfo.InvariantCulture);
            questions.Add(random.Chance(0.5) ? new(Category.Form, "en", "How many items are there?", items) : new(Category.Form, "zh", "有几样东西?", items));
        }

        List<Lookup> lookups = [.. fields.Select(f => new Lookup(Category.Form, f.Label, f.Value)), .. fields.Select(f => new Lookup(Category.Form, f.Value, f.Label))];
        random.Shuffle(lookups);
        return canvas.Finish(questions, lookups);
    }

    private static List<Field> Receipt(WorldRandom random, double level)
    {
        var fields = new List<Field>();
        int total = 0;
        foreach (string item in random.Some(Palette.Items, random.Between(2, level < 0.5 ? 3 : 4)))
        {
            int price = random.Between(50, random.Chance(0.7) ? 999 : 1999);
            total += price;
            fields.Add(new(item, Price(price), $"How much is the {item}?", $"{item}多少钱?"));
        }

        string label = random.Of(["Total", "TOTAL", "Sum"]);
        fields.Add(new(label, Price(total), "What is the total?", "合计是多少?"));
        return fields;
    }

    private static List<Field> Form(WorldRandom random, double level)
    {
        string date = string.Create(CultureInfo.InvariantCulture, $"{random.Between(2015, 2031)}-{random.Between(1, 12):00}-{random.Between(1, 28):00}");
        Field[] all =
        [
            new("Name", random.Of(Palette.Names), "What is the name?", "姓名是什么?"),
            new("City", random.Of(Palette.Cities), "What is the city?", "城市是哪里?"),
            new("Date", date, "What is the date?", "日期是哪天?"),
            new("No.", random.Between(100, 99999).ToString(CultureInfo.InvariantCulture), "What is the number?", "编号是多少?"),
            new("Seat", $"{random.Between(1, 40)}{(char)random.Between('A', 'F')}", "Which seat is it?", "座位是哪个?"),
            new("Age", random.Between(18, 90).ToString(CultureInfo.InvariantCulture), "What is the age?", "年龄是多少?"),
        ];
        return random.Some(all, random.Between(2, level < 0.5 ? 3 : 4));
    }

    private static string Price(int cents) => string.Create(CultureInfo.InvariantCulture, $"{cents / 100}.{cents % 100:00}");
}
