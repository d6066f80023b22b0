using System.Text.Json;
using Portable.Training;
using Portable.Training.World;

namespace Portable.Tests;

/// <summary>The world is what its seed says, its answers are true of its pictures, and what is held out stays so.</summary>
[TestFixture]
public sealed class WorldTests
{
    [OneTimeSetUp]
    public void RequireFonts()
    {
        if (!File.Exists(Path.Combine(Fonts.Folder, "dejavu", "DejaVuSans.ttf")) || !File.Exists(Path.Combine(Fonts.Folder, "liberation", "LiberationSans-Regular.ttf")))
            Assert.Ignore("fonts absent: the world is drawn with DejaVu and Liberation (Debian: fonts-dejavu-core, fonts-dejavu-extra, fonts-liberation)");
    }

    private static IEnumerable<string> Scenes() => Scene.All.Select(static s => s.Name);

    [TestCaseSource(nameof(Scenes))]
    public void TheSameSeedDrawsTheSamePicture(string name)
    {
        Scene scene = Scene.All.Single(s => s.Name == name);
        (int width, int height) = scene.Sizes[0];
        for (int i = 0; i < 20; i++)
        {
            Picture a = scene.Draw(width, height, WorldRandom.ForItem(3, i), 1), b = scene.Draw(width, height, WorldRandom.ForItem(3, i), 1);
            Assert.That(a.Rgb, Is.EqualTo(b.Rgb));
            Assert.That(a.Questions, Is.EqualTo(b.Questions));
            Assert.That(a.Rgb, Has.Length.EqualTo(width * height * 3));
        }
    }

    [TestCaseSource(nameof(Scenes))]
    public void WhatIsMarkedLiesInThePicture(string name)
    {
        Scene scene = Scene.All.Single(s => s.Name == name);
        foreach ((int width, int height) in scene.Sizes)
        {
            Assert.That((width % 28, height % 28), Is.EqualTo((0, 0)), "sizes are whole merged patches");
            for (int i = 0; i < 20; i++)
            {
                Picture picture = scene.Draw(width, height, WorldRandom.ForItem(4, i), 1);
                Assert.That(picture.Marks, Is.Not.Empty);
                Assert.That(picture.Marks.All(m => m.X >= 0 && m.X < width && m.Y >= 0 && m.Y < height && m.Label >= 0 && m.Label < Marks.Labels.Count));
            }
        }
    }

    [Test]
    public void CountsAgreeWithWhatWasDrawn()
    {
        int asked = 0;
        for (int i = 0; i < 200; i++)
        {
            Picture picture = ShapesScene.Draw(140, 140, WorldRandom.ForItem(5, i), 1);
            int[] shapes = [.. Enumerable.Range(0, Palette.Shapes.Count).Select(s => picture.Marks.Count(m => m.Label == Marks.Shape(s)))];
            foreach (Question question in picture.Questions.Where(static q => q.Category == Category.Count))
            {
                int wanted = question.Text is "How many shapes are there?" or "一共有几个图形?" ? shapes.Sum()
                    : Palette.Colours.ToList().FindIndex(c => question.Text.Contains(c.English + " shapes", StringComparison.Ordinal) || question.Text.Contains(c.Chinese, StringComparison.Ordinal)) is >= 0 and int colour
                        ? picture.Marks.Count(m => m.Label == Marks.Colour(colour))
                    : shapes[Palette.Shapes.ToList().FindIndex(s => question.Text.Contains(s.English, StringComparison.Ordinal) || question.Text.Contains(s.Chinese, StringComparison.Ordinal))];
                Assert.That(question.Answer, Is.EqualTo($"{wanted}"), $"picture {i}: {question.Text}");
                asked++;
            }
        }

        Assert.That(asked, Is.GreaterThan(500));
    }

    [Test]
    public void PositionsAgreeWithWhereThingsWereDrawn()
    {
        int asked = 0;
        for (int i = 0; i < 300; i++)
        {
            Picture picture = ShapesScene.Draw(168, 140, WorldRandom.ForItem(6, i), 1);
            foreach (Question question in picture.Questions.Where(static q => q.Category == Category.Position && q.Language == "en" && q.Text.StartsWith("Is the ", StringComparison.Ordinal)))
            {
                string[] words = question.Text.TrimEnd('?').Split(' ');
                Mark a = Place(picture, words[2], words[3]), b = Place(picture, words[^2], words[^1]);
                bool yes = words[4] switch { "left" => a.X < b.X, "right" => a.X > b.X, "above" => a.Y < b.Y, _ => a.Y > b.Y };
                Assert.That(question.Answer, Is.EqualTo(yes ? "yes" : "no"), $"picture {i}: {question.Text}");
                asked++;
            }
        }

        Assert.That(asked, Is.GreaterThan(50));
    }

    private static Mark Place(Picture picture, string colour, string shape)
    {
        int c = Marks.Colour(Palette.Colours.ToList().FindIndex(t => t.English == colour)), s = Marks.Shape(Palette.Shapes.ToList().FindIndex(t => t.English == shape));
        return picture.Marks.Single(m => m.Label == s && picture.Marks.Any(o => o.Label == c && o.X == m.X && o.Y == m.Y));
    }

    [Test]
    public void TheStoredSuiteIsTheOneThatItsSeedDraws()
    {
        string file = Path.Combine(Fixtures.RepositoryRoot, "evals", "imageqa", "questions.jsonl");
        string[] stored = [.. File.ReadLines(file)];
        Assert.That(stored, Has.Length.GreaterThanOrEqualTo(2000));
        string[] drawn = [.. Suite.Draw(1).SelectMany(static p => p.Questions).Select(static q => $"{q.Category.ToString().ToLowerInvariant()} {q.Language} {q.Text} {q.Answer}")];
        Assert.That(stored.Select(static line =>
        {
            JsonElement q = JsonDocument.Parse(line).RootElement;
            return $"{q.GetProperty("category").GetString()} {q.GetProperty("language").GetString()} {q.GetProperty("question").GetString()} {q.GetProperty("answer").GetString()}";
        }), Is.EqualTo(drawn));
    }

    [Test]
    public void ABatchDependsOnNothingBeforeIt()
    {
        static byte[] Batch(long first, long wanted)
        {
            using var output = new MemoryStream();
            var stream = new BatchStream(output);
            for (long i = first; i < wanted; i++)
                stream.WriteTraining(1, i, 4, 1);
            output.SetLength(0);
            stream.WriteTraining(1, wanted, 4, 1);
            return output.ToArray();
        }

        Assert.That(Batch(7, 7), Is.EqualTo(Batch(4, 7)));
    }
}
