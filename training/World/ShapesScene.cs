using SkiaSharp;

namespace Portable.Training.World;

/// <summary>One to nine shapes: their shapes, colours, numbers, places and sizes.</summary>
internal static class ShapesScene
{
    private sealed record Item(int Shape, int Colour, float X, float Y, float Radius);

    private static readonly float[] s_radii = [7, 10, 14, 19];

    public static Picture Draw(int width, int height, WorldRandom random, double level)
    {
        using var canvas = new Canvas(width, height, random);
        List<Item> items = Place(canvas, random, random.Between(1, Math.Max(2, (int)Math.Round(3 + 6 * Math.Min(level, Scene.Whole)))));
        foreach (Item item in items)
        {
            DrawShape(canvas, item, Palette.Paint(item.Colour, random));
            canvas.Mark(item.X, item.Y, Marks.Shape(item.Shape));
            canvas.Mark(item.X, item.Y, Marks.Colour(item.Colour));
        }

        // What is asked about places is true of the finished, turned image.
        items = [.. items.Select(item =>
        {
            SKPoint at = canvas.Place(item.X, item.Y);
            return item with { X = at.X, Y = at.Y };
        })];
        return canvas.Finish(Ask(items, width, height, random, level > Scene.Whole ? 3 : 1), Lookups(items, width, height, random));
    }

    private static List<Item> Place(Canvas canvas, WorldRandom random, int count)
    {
        var items = new List<Item>();
        bool alike = random.Chance(0.4);
        for (int i = 0; i < count; i++)
        {
            for (int attempt = 0; attempt < 60; attempt++)
            {
                float radius = s_radii[random.Between(0, count > 5 ? 2 : 3)] * random.Between(0.92f, 1.08f);
                float x = random.Between(radius + 3, canvas.Width - radius - 3), y = random.Between(radius + 3, canvas.Height - radius - 3);
                if (items.Any(other => Math.Abs(other.X - x) < other.Radius + radius + 3 && Math.Abs(other.Y - y) < other.Radius + radius + 3))
                    continue;
                int shape = alike && items.Count > 0 && random.Chance(0.6) ? items[0].Shape : random.Between(0, Palette.Shapes.Count - 1);
                items.Add(new Item(shape, random.Between(0, Palette.Colours.Count - 1), x, y, radius));
                break;
            }
        }

        return items;
    }

    private static void DrawShape(Canvas canvas, Item item, SKColor paint)
    {
        (float x, float y, float r) = (item.X, item.Y, item.Radius);
        switch (Palette.Shapes[item.Shape].English)
        {
            case "circle":
                canvas.Circle(x, y, r, paint);
                break;
            case "square":
                canvas.Polygon([new(x - r * 0.87f, y - r * 0.87f), new(x + r * 0.87f, y - r * 0.87f), new(x + r * 0.87f, y + r * 0.87f), new(x - r * 0.87f, y + r * 0.87f)], paint);
                break;
            case "triangle":
                canvas.Polygon([new(x, y - r), new(x + r, y + r * 0.85f), new(x - r, y + r * 0.85f)], paint);
                break;
            case "diamond":
                canvas.Polygon([new(x, y - r), new(x + r * 0.72f, y), new(x, y + r), new(x - r * 0.72f, y)], paint);
                break;
            case "cross":
                float a = r * 0.33f;
                canvas.Polygon(
                    [new(x - a, y - r), new(x + a, y - r), new(x + a, y - a), new(x + r, y - a), new(x + r, y + a), new(x + a, y + a),
                     new(x + a, y + r), new(x - a, y + r), new(x - a, y + a), new(x - r, y + a), new(x - r, y - a), new(x - a, y - a)], paint);
                break;
            default:
                var star = new SKPoint[10];
                for (int k = 0; k < star.Length; k++)
                {
                    float reach = k % 2 == 0 ? r : r * 0.42f;
                    star[k] = new SKPoint(x + reach * MathF.Sin(k * MathF.PI / 5), y - reach * MathF.Cos(k * MathF.PI / 5));
                }

                canvas.Polygon(star, paint);
                break;
        }
    }

    private static Term ShapeOf(Item item) => Palette.Shapes[item.Shape];

    private static Term ColourOf(Item item) => Palette.Colours[item.Colour];

    private static string English(Item item) => $"{ColourOf(item).English} {ShapeOf(item).English}";

    private static string Chinese(Item item) => $"{ColourOf(item).Chinese}{ShapeOf(item).Chinese}";

    /// <summary>The third of the image that holds the item, or null near a border between two.</summary>
    private static Term? Region(Item item, int width, int height)
    {
        static int Third(float at, int of)
        {
            float thirds = at * 3 / of;
            int index = Math.Clamp((int)thirds, 0, 2);
            bool near = Math.Abs(thirds - 1) < 0.13f || Math.Abs(thirds - 2) < 0.13f;
            return near ? -1 : index;
        }

        (int column, int row) = (Third(item.X, width), Third(item.Y, height));
        if (column < 0 || row < 0)
            return null;
        return (row, column) switch
        {
            (1, 1) => new("center", "中间"),
            (1, _) => column == 0 ? new("left", "左边") : new("right", "右边"),
            (_, 1) => row == 0 ? new("top", "上面") : new("bottom", "下面"),
            _ => new($"{(row == 0 ? "top" : "bottom")} {(column == 0 ? "left" : "right")}", $"{(column == 0 ? "左" : "右")}{(row == 0 ? "上" : "下")}角"),
        };
    }

    private static List<Question> Ask(List<Item> items, int width, int height, WorldRandom random, int pairs)
    {
        var questions = new List<Question>();
        void Add(Category category, string english, string englishAnswer, string chinese, string chineseAnswer) =>
            questions.Add(random.Chance(0.5) ? new(category, "en", english, englishAnswer) : new(category, "zh", chinese, chineseAnswer));

        List<Item> onlyOfShape = [.. items.Where(i => items.Count(o => o.Shape == i.Shape) == 1)];
        List<Item> onlyOfColour = [.. items.Where(i => items.Count(o => o.Colour == i.Colour) == 1)];
        List<Item> unique = [.. items.Where(i => items.Count(o => o.Shape == i.Shape && o.Colour == i.Colour) == 1)];

        foreach (Item item in random.Some(onlyOfShape, 2))
            Add(Category.Colour, $"What color is the {ShapeOf(item).English}?", ColourOf(item).English, $"{ShapeOf(item).Chinese}是什么颜色?", ColourOf(item).Chinese);
        foreach (Item item in random.Some(onlyOfColour, 2))
            Add(Category.Shape, $"What shape is {ColourOf(item).English}?", ShapeOf(item).English, $"{ColourOf(item).Chinese}的是什么形状?", ShapeOf(item).Chinese);

        Add(Category.Count, "How many shapes are there?", $"{items.Count}", "一共有几个图形?", $"{items.Count}");
        int shape = random.Chance(0.75) ? random.Of(items).Shape : random.Between(0, Palette.Shapes.Count - 1);
        int ofShape = items.Count(i => i.Shape == shape);
        Add(Category.Count, $"How many {Plural(Palette.Shapes[shape].English)} are there?", $"{ofShape}", $"有几个{Palette.Shapes[shape].Chinese}?", $"{ofShape}");
        int colour = random.Chance(0.75) ? random.Of(items).Colour : random.Between(0, Palette.Colours.Count - 1);
        int ofColour = items.Count(i => i.Colour == colour);
        Add(Category.Count, $"How many {Palette.Colours[colour].English} shapes are there?", $"{ofColour}", $"有几个{Palette.Colours[colour].Chinese}的图形?", $"{ofColour}");

        for (int k = 0; k < 2; k++)
        {
            Item sought = random.Of(items);
            if (random.Chance(0.55))
            {
                // As hard as a "no" can be: a shape and a colour that may both be there, but not together.
                sought = random.Chance(0.5)
                    ? sought with { Shape = random.Between(0, Palette.Shapes.Count - 1) }
                    : sought with { Colour = random.Between(0, Palette.Colours.Count - 1) };
            }

            bool there = items.Any(i => i.Shape == sought.Shape && i.Colour == sought.Colour);
            if (random.Chance(0.25))
            {
                int kind = random.Between(0, Palette.Shapes.Count - 1);
                bool any = items.Any(i => i.Shape == kind);
                Add(Category.Presence, $"Is there a {Palette.Shapes[kind].English}?", any ? "yes" : "no", $"有{Palette.Shapes[kind].Chinese}吗?", any ? "有" : "没有");
            }
            else
            {
                Add(Category.Presence, $"Is there {Article(English(sought))} {English(sought)}?", there ? "yes" : "no", $"有{Chinese(sought)}吗?", there ? "有" : "没有");
            }
        }

        foreach (Item item in random.Some(unique, 2))
        {
            if (Region(item, width, height) is { } region)
                Add(Category.Position, $"Where is the {English(item)}?", region.English, $"{Chinese(item)}在哪里?", region.Chinese);
        }

        for (int k = 0; k < pairs && unique.Count >= 2; k++)
        {
            List<Item> pair = random.Some(unique, 2);
            (Item a, Item b) = (pair[0], pair[1]);
            AskWhereOfTwo(a, b, Add, random);
            if (Math.Max(a.Radius, b.Radius) > 1.25f * Math.Min(a.Radius, b.Radius))
            {
                bool bigger = a.Radius > b.Radius;
                if (random.Chance(0.5))
                    Add(Category.Size, $"Is the {English(a)} bigger than the {English(b)}?", bigger ? "yes" : "no", $"{Chinese(a)}比{Chinese(b)}大吗?", bigger ? "是" : "不是");
                else
                    Add(Category.Size, $"Which is bigger, the {English(a)} or the {English(b)}?", English(bigger ? a : b), $"{Chinese(a)}和{Chinese(b)}哪个大?", Chinese(bigger ? a : b));
            }
        }

        if (items.Count >= 2)
        {
            List<Item> bySize = [.. items.OrderByDescending(i => i.Radius)];
            if (bySize[0].Radius > 1.25f * bySize[1].Radius)
                Add(Category.Size, "What color is the biggest shape?", ColourOf(bySize[0]).English, "最大的图形是什么颜色?", ColourOf(bySize[0]).Chinese);
            if (bySize[^2].Radius > 1.25f * bySize[^1].Radius)
                Add(Category.Size, "What color is the smallest shape?", ColourOf(bySize[^1]).English, "最小的图形是什么颜色?", ColourOf(bySize[^1]).Chinese);
        }

        return questions;
    }

    private static void AskWhereOfTwo(Item a, Item b, Action<Category, string, string, string, string> add, WorldRandom random)
    {
        float apart = Math.Max(9, (a.Radius + b.Radius) * 0.5f);
        bool across = Math.Abs(a.X - b.X) > apart, down = Math.Abs(a.Y - b.Y) > apart;
        if (across && (!down || random.Chance(0.5)))
        {
            bool left = random.Chance(0.5), yes = left == a.X < b.X;
            add(Category.Position, $"Is the {English(a)} {(left ? "left" : "right")} of the {English(b)}?", yes ? "yes" : "no",
                $"{Chinese(a)}在{Chinese(b)}的{(left ? "左边" : "右边")}吗?", yes ? "是" : "不是");
        }
        else if (down)
        {
            bool above = random.Chance(0.5), yes = above == a.Y < b.Y;
            add(Category.Position, $"Is the {English(a)} {(above ? "above" : "below")} the {English(b)}?", yes ? "yes" : "no",
                $"{Chinese(a)}在{Chinese(b)}的{(above ? "上面" : "下面")}吗?", yes ? "是" : "不是");
        }
    }

    private static List<Lookup> Lookups(List<Item> items, int width, int height, WorldRandom random)
    {
        var lookups = new List<Lookup>();
        foreach (Item item in random.Some(items, 4))
        {
            if (items.Count(o => o.Shape == item.Shape) == 1)
                lookups.Add(new(Category.Colour, ShapeOf(item).English, ColourOf(item).English));
            if (items.Count(o => o.Colour == item.Colour) == 1)
                lookups.Add(new(Category.Shape, ColourOf(item).English, ShapeOf(item).English));
            if (items.Count(o => o.Shape == item.Shape && o.Colour == item.Colour) == 1)
            {
                // The middle of the item in sixteenths of the image, a letter for the column and one for the row.
                char Sixteenth(float at, int of) => (char)('a' + Math.Clamp((int)(at * 16 / of), 0, 15));
                lookups.Add(new(Category.Position, English(item), $"{Sixteenth(item.X, width)}{Sixteenth(item.Y, height)}"));
                lookups.Add(new(Category.Size, English(item), $"{(char)('k' + Array.FindLastIndex(s_radii, r => item.Radius > r * 0.85f))}"));
            }
        }

        lookups.AddRange(Pairs(items));
        return lookups;
    }

    /// <summary>Of two things, how the first lies to the second on both axes, and whether it is bigger: what the questions about two ask one at a time.</summary>
    private static IEnumerable<Lookup> Pairs(List<Item> items)
    {
        static string Than(float a, float b, float apart, string less, string more) => Math.Abs(a - b) <= apart ? "near" : a < b ? less : more;
        List<Item> unique = [.. items.Where(i => items.Count(o => o.Shape == i.Shape && o.Colour == i.Colour) == 1)];
        for (int i = 0; i < Math.Min(4, unique.Count); i++)
        {
            (Item a, Item b) = (unique[i], unique[(i + 1) % unique.Count]);
            if (a == b)
                yield break;
            float apart = Math.Max(9, (a.Radius + b.Radius) * 0.5f);
            string key = $"{English(a)}/{English(b)}";
            yield return new(Category.Position, key, $"{Than(a.X, b.X, apart, "left", "right")} {Than(a.Y, b.Y, apart, "above", "below")}");
            if (Math.Max(a.Radius, b.Radius) > 1.25f * Math.Min(a.Radius, b.Radius))
                yield return new(Category.Size, key + "?", a.Radius > b.Radius ? "bigger" : "smaller");
        }
    }

    private static string Plural(string shape) => shape == "cross" ? "crosses" : shape + "s";

    private static string Article(string words) => words[0] is 'a' or 'e' or 'i' or 'o' or 'u' ? "an" : "a";
}
