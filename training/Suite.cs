using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Training.World;
using SkiaSharp;

namespace Portable.Training;

/// <summary>
/// A held-out set of pictures and questions: drawn by seeds that training never uses, stored as image files and <c>questions.jsonl</c> (one question a line).
/// </summary>
internal static class Suite
{
    /// <summary>Training draws from the seeds below this; suites and samples from this on.</summary>
    public const ulong FirstHeldOutSeed = 1UL << 40;

    private static readonly (string Scene, int Pictures, int Questions)[] s_plan = [("shapes", 220, 6), ("display", 200, 2), ("chart", 80, 4), ("form", 80, 4)];

    public static IEnumerable<(Picture Picture, List<Question> Questions)> Draw(ulong seed)
    {
        foreach ((string name, int pictures, int wanted) in s_plan)
        {
            Scene scene = Scene.All.Single(s => s.Name == name);
            for (int i = 0; i < pictures; i++)
            {
                var random = WorldRandom.ForItem(FirstHeldOutSeed + seed, Array.FindIndex(s_plan, p => p.Scene == name) * 100_000L + i);
                (int width, int height) = random.Of(scene.Sizes);
                Picture picture = scene.Draw(width, height, random, 1);
                random.Shuffle(picture.Questions);
                var chosen = new List<Question>();
                // The rarest categories of a picture first, both languages in turn.
                foreach (Question question in picture.Questions.GroupBy(q => q.Category)
                    .SelectMany(g => g.OrderBy(q => q.Language == (i % 2 == 0 ? "en" : "zh")).Select((q, turn) => (Question: q, Turn: turn, Rare: g.Count())))
                    .OrderBy(p => p.Turn).ThenBy(p => p.Rare).Select(p => p.Question))
                {
                    // The same thing in the other language is another question; the same sentence is not.
                    if (chosen.Count < wanted && chosen.All(q => q.Text != question.Text))
                        chosen.Add(question);
                }

                yield return (picture, chosen);
            }
        }
    }

    public static void Write(string folder, ulong seed)
    {
        Directory.CreateDirectory(Path.Combine(folder, "images"));
        using var lines = new StreamWriter(Path.Combine(folder, "questions.jsonl"));
        int image = 0, id = 0;
        foreach ((Picture picture, List<Question> questions) in Draw(seed))
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"images/{image++:0000}.{(picture.File is null ? "png" : "jpg")}");
            File.WriteAllBytes(Path.Combine(folder, name), picture.File ?? Png(picture));
            foreach (Question question in questions)
                lines.WriteLine(Line(string.Create(CultureInfo.InvariantCulture, $"{id++:00000}"), name, question));
        }
    }

    public static string Line(string id, string image, Question question) => new JsonObject
    {
        ["id"] = id, ["image"] = image, ["category"] = question.Category.ToString().ToLowerInvariant(), ["language"] = question.Language, ["question"] = question.Text, ["answer"] = question.Answer,
    }.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static unsafe byte[] Png(Picture picture)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(picture.Width, picture.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        var pixels = new Span<byte>((void*)bitmap.GetPixels(), picture.Width * picture.Height * 4);
        for (int i = 0, o = 0; o < pixels.Length; i += 3, o += 4)
            (pixels[o], pixels[o + 1], pixels[o + 2], pixels[o + 3]) = (picture.Rgb[i], picture.Rgb[i + 1], picture.Rgb[i + 2], 255);
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }
}
