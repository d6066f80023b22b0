using System.Globalization;
using Portable.Training.World;

namespace Portable.Training;

/// <summary>The pictures of <c>samples/images</c>: ordinary ones of the world, from seeds that neither training nor the evaluation uses.</summary>
internal static class Samples
{
    private static readonly (string File, string Scene, int Width, int Height, ulong Seed, string Must)[] s_samples =
    [
        ("receipt.png", "form", 140, 168, 3, "What is the total?"),
        ("form.png", "form", 168, 140, 5, "What is the name?"),
        ("meter.png", "display", 168, 56, 1, "What does the meter read?"),
        ("label.png", "display", 168, 84, 2, "What is the price?"),
        ("sign.png", "display", 196, 56, 4, "What does the sign say?"),
        ("chart.png", "chart", 196, 140, 6, "Which bar is the highest?"),
        ("shapes.png", "shapes", 168, 140, 7, "How many shapes are there?"),
    ];

    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        using var lines = new StreamWriter(Path.Combine(folder, "questions.jsonl"));
        int id = 0;
        foreach ((string file, string name, int width, int height, ulong seed, string must) in s_samples)
        {
            Scene scene = Scene.All.Single(s => s.Name == name);
            // The first picture of the seed in which that question can be asked.
            Picture picture = Enumerable.Range(0, 1000)
                .Select(i => scene.Draw(width, height, WorldRandom.ForItem(Suite.FirstHeldOutSeed * 2 + seed, i), 1))
                .First(p => p.File is null && p.Questions.Any(q => q.Text == must));
            File.WriteAllBytes(Path.Combine(folder, file), Suite.Png(picture));
            foreach (Question question in picture.Questions.OrderByDescending(q => q.Text == must).DistinctBy(q => q.Text).Take(6))
                lines.WriteLine(Suite.Line(string.Create(CultureInfo.InvariantCulture, $"{id++:000}"), file, question));
        }
    }
}
