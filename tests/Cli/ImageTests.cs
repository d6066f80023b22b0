using System.Text.Json;

namespace Portable.Cli.Tests;

/// <summary>`portable ask` with images: a tiny vision-language model sees them; hostile files get one line that names them.</summary>
[Category("Golden")]
public class ImageTests
{
    private static string Eyes() => CliRun.Required("checkpoints", "qwen2_vl");

    private static IEnumerable<TestCaseData> HostileCases()
    {
        if (Fixtures.Find("images", "hostile.json") is not { } path)
            return [Fixtures.Absent("images/hostile.json")];
        using JsonDocument json = Fixtures.Json(path);
        return [.. json.RootElement.GetProperty("files").EnumerateArray().Select(c => new TestCaseData(
                Path.Combine(Path.GetDirectoryName(path)!, c.GetProperty("file").GetString()!), c.GetProperty("must").GetString())
            .SetName($"ask about {c.GetProperty("file").GetString()}: {c.GetProperty("must").GetString()}"))];
    }

    [TestCaseSource(nameof(HostileCases))]
    public void A_hostile_image_is_refused_in_one_line_that_names_its_file(string file, string must)
    {
        CliResult result = CliRun.InProcess("ask", "--model", Eyes(), "--context", "512", "--max-tokens", "2", file, "What is this?");
        // A sound image may still be one that the model cannot take: too thin, or more tokens than the context.
        if (must == "error" || result.ExitCode != 0)
            result.FailedWith(1);
        if (must == "error")
            Assert.That(result.Error, Does.Contain(Path.GetFileName(file)));
    }

    [Test]
    public void Images_come_before_the_question_and_each_takes_its_tokens()
    {
        string[] images = [.. Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).Take(2)];
        int one = PromptTokens(images[0]), other = PromptTokens(images[1]), none = PromptTokens(), both = PromptTokens(images);
        Assert.That(one, Is.GreaterThan(none));
        Assert.That(both - none, Is.EqualTo(one - none + other - none));

        static int PromptTokens(params string[] images)
        {
            CliResult result = CliRun.InProcess(["ask", "--model", Eyes(), "--max-tokens", "2", "--json", .. images, "What is this?"]);
            return JsonDocument.Parse(result.Succeeded().Output).RootElement.GetProperty("usage").GetProperty("promptTokens").GetInt32();
        }
    }

    [TestCase("/dev/zero")]
    [TestCase("/dev/random")]
    [Platform(Exclude = "Win")]
    public void A_link_to_a_device_that_never_ends_is_no_image(string device)
    {
        string link = Path.Combine(Path.GetTempPath(), $"portable-{Guid.NewGuid():N}.png");
        File.CreateSymbolicLink(link, device);
        try
        {
            CliRun.InProcess("ask", "--model", Eyes(), link, "What is this?").FailedWith(1, Path.GetFileName(link), "empty");
        }
        finally
        {
            File.Delete(link);
        }
    }

    [Test]
    public void The_second_of_two_images_is_the_one_named_when_it_is_broken()
    {
        string good = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        string bad = Path.Combine(Path.GetTempPath(), $"portable-{Guid.NewGuid():N}.png");
        File.WriteAllText(bad, "<html>no image</html>");
        try
        {
            CliResult result = CliRun.Child("ask", "--model", Eyes(), good, bad, "What is this?").FailedWith(1, Path.GetFileName(bad));
            Assert.That(result.Error, Does.Not.Contain(Path.GetFileName(good)));
        }
        finally
        {
            File.Delete(bad);
        }
    }

    [Test]
    public void Chat_shows_an_image_with_the_next_message_and_keeps_it_in_the_conversation()
    {
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        CliResult result = CliRun.InProcessWithInput($"/image {image}\nWhat is this?\nAnd now?\n", "chat", "--model", Eyes(), "--max-tokens", "2", "--json").Succeeded();
        int[] tokens = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => JsonDocument.Parse(l).RootElement.GetProperty("usage").GetProperty("promptTokens").GetInt32())];
        Assert.That(tokens, Has.Length.EqualTo(2));
        Assert.That(tokens[1], Is.GreaterThan(tokens[0]));
    }

    [Test]
    public void A_failed_image_is_told_at_once_and_leaves_the_one_attached_before()
    {
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        string bad = Path.Combine(Path.GetTempPath(), $"portable-{Guid.NewGuid():N}.png");
        File.WriteAllText(bad, "<html>no image</html>");
        try
        {
            string[] args = ["chat", "--model", Eyes(), "--max-tokens", "2", "--json"];
            int expected = PromptTokens(CliRun.AtTerminal($"/image {image}\nWhat?\n", args).Succeeded());
            CliResult result = CliRun.AtTerminal($"/image {image}\n/image no-such.png\n/image {bad}\nWhat?\n", args).Succeeded();
            Assert.That(PromptTokens(result), Is.EqualTo(expected));
            Assert.That(result.Error, Does.Contain($"1 image attached: {Path.GetFileName(image)}").And.Contain("no-such.png: no such image file.").And.Contain($"{Path.GetFileName(bad)}: "));
            Assert.That(result.Error, Does.Contain($"1 image still attached: {Path.GetFileName(image)}").And.Not.Contain("quotes"));
        }
        finally
        {
            File.Delete(bad);
        }

        static int PromptTokens(CliResult result) => JsonDocument.Parse(result.Output).RootElement.GetProperty("usage").GetProperty("promptTokens").GetInt32();
    }

    [Test]
    public void An_image_stays_attached_when_its_message_fails()
    {
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        string[] args = ["chat", "--model", Eyes(), "--context", "1000", "--max-tokens", "2", "--json"];
        string tooLong = string.Join(' ', Enumerable.Repeat("word", 2000));
        CliResult result = CliRun.InProcessWithInput($"/image {image}\n{tooLong}\nWhat?\n", args);
        CliResult expected = CliRun.InProcessWithInput($"/image {image}\nWhat?\n", args).Succeeded();
        Assert.That(result.ExitCode, Is.EqualTo(1), result.ToString());
        Assert.That(Usage(result), Is.EqualTo(Usage(expected)));

        static string Usage(CliResult result) => JsonDocument.Parse(result.Output).RootElement.GetProperty("usage").GetRawText();
    }

    [Test]
    public void The_quickstart_of_the_readme_shows_an_image_to_the_model()
    {
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        CliRun.ChildProgram("Quickstart.dll", Eyes(), "What is this?", image).Succeeded();
    }
}
