using System.Globalization;
using SkiaSharp;

namespace Portable.Training.World;

/// <summary>A bar chart of three to five bars, with their values written on them or a scale beside them.</summary>
internal static class ChartScene
{
    public static Picture Draw(int width, int height, WorldRandom random, double level)
    {
        using var canvas = new Canvas(width, height, random);
        int bars = random.Between(3, level < 0.5 ? 4 : 5);
        List<string> labels = random.Chance(0.5) ? random.Some(Palette.Months, bars) : random.Some(["A", "B", "C", "D", "E", "F", "G", "H"], bars);
        bool written = random.Chance(0.7);
        bool large = written && random.Chance(0.4);
        var values = new List<int>();
        while (values.Count < bars)
        {
            int value = large ? random.Between(10, 99) : random.Between(1, 9);
            if (values.All(v => Math.Abs(v - value) >= (large ? 7 : 1)))
                values.Add(value);
            else if (large && random.Chance(0.02))
                values.Clear();
        }

        SKColor ink = Palette.Jitter(new SKColor(30, 30, 30), random, 20);
        SKTypeface face = Fonts.Any(random);
        float size = random.Between(12f, 14.5f), left = 18, bottom = height - 22, full = large ? 99 : 9;
        float step = (width - left - 8) / bars, unit = (bottom - 20) / full;
        int[] common = [2, 1, 0, 5, 4];
        SKColor paint = Palette.Paint(random.Of(common), random);
        bool alike = random.Chance(0.5);
        for (int i = 0; i < bars; i++)
        {
            SKColor own = alike ? paint : Palette.Paint(random.Of(common), random);
            float x = left + i * step, top = bottom - values[i] * unit, middle = x + step / 2;
            canvas.Fill(x + step * 0.2f, top, step * 0.6f, bottom - top, own);
            canvas.Mark(middle, top, Marks.BarTop);
            using SKFont font = Canvas.Fit(face, size, labels[i], step - 2);
            canvas.Text(middle - font.MeasureText(labels[i]) / 2, bottom + 3, labels[i], font, ink);
            if (written)
            {
                string value = values[i].ToString(CultureInfo.InvariantCulture);
                using SKFont valueFont = Canvas.Fit(face, size, value, step - 2);
                canvas.Text(middle - valueFont.MeasureText(value) / 2, top - size * 1.25f, value, valueFont, ink);
            }
        }

        canvas.Line(left, 8, left, bottom, ink);
        canvas.Line(left, bottom, width - 5, bottom, ink);
        if (!written)
        {
            using SKFont font = Canvas.Fit(face, 10.5f, "9", 12);
            for (int v = 0; v <= 9; v++)
            {
                canvas.Line(left - 3, bottom - v * unit, v % 3 == 0 ? width - 5 : left, bottom - v * unit, new SKColor(140, 140, 140));
                if (v % 3 == 0 || unit > 11)
                    canvas.Text(4, bottom - v * unit - 7, v.ToString(CultureInfo.InvariantCulture), font, ink);
            }
        }

        var questions = new List<Question>();
        void Both(string english, string chinese, string answer)
        {
            questions.Add(new(Category.Chart, "en", english, answer));
            questions.Add(new(Category.Chart, "zh", chinese, answer));
        }

        string highest = labels[values.IndexOf(values.Max())], lowest = labels[values.IndexOf(values.Min())];
        Both("Which bar is the highest?", "哪一项最高?", highest);
        Both("Which bar is the lowest?", "哪一项最低?", lowest);
        foreach (int i in random.Some([.. Enumerable.Range(0, bars)], 3))
        {
            string value = values[i].ToString(CultureInfo.InvariantCulture);
            Both($"What is the value of {labels[i]}?", $"{labels[i]}的值是多少?", value);
        }

        List<Lookup> lookups = [.. labels.Select((label, i) => new Lookup(Category.Chart, label, values[i].ToString(CultureInfo.InvariantCulture)))];
        if (written)
            lookups.AddRange(labels.Select((label, i) => new Lookup(Category.Chart, values[i].ToString(CultureInfo.InvariantCulture), label)));
        random.Shuffle(lookups);
        return canvas.Finish(questions, lookups);
    }
}
