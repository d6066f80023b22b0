using System.Text.Json;

namespace Portable.Cli.Tests;

/// <summary>What eval counts, and what it refuses.</summary>
public class EvalTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-suite-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private static string Samples => Path.Combine(Fixtures.RepositoryRoot, "samples", "images");

    [Test]
    public void Right_answers_are_counted_by_category_and_language()
    {
        JsonElement report = JsonDocument.Parse(CliRun.InProcess("eval", "--suite", Samples, "--json").Succeeded().Output).RootElement;
        int lines = File.ReadLines(Path.Combine(Samples, "questions.jsonl")).Count();
        Assert.That(report.GetProperty("asked").GetInt32(), Is.EqualTo(lines));
        Assert.That(report.GetProperty("scores").EnumerateArray().Sum(static s => s.GetProperty("right").GetInt32()), Is.EqualTo(report.GetProperty("right").GetInt32()));
        Assert.That(report.GetProperty("right").GetInt32(), Is.GreaterThan(lines / 2));
    }

    [Test]
    public void A_wrong_answer_counts_as_wrong_and_is_shown_when_asked()
    {
        Copy("meter.png");
        Write("""{"id":"0","image":"meter.png","category":"number","language":"en","question":"What does the meter read?","answer":"no such reading"}""");
        CliResult result = CliRun.InProcess("eval", "--suite", _folder, "--wrong").Succeeded();
        Assert.That(result.Output, Does.Contain("number").And.Contain("0.0 %").And.Contain("0 of 1 questions"));
        Assert.That(result.Error, Does.Contain("expected no such reading"));
    }

    [TestCase("not json", "line 1")]
    [TestCase("null", "line 1")]
    [TestCase("""{"id":"0","category":"c","language":"en","question":"q","answer":"a"}""", "image")]
    [TestCase("""{"id":"0","image":"../../etc/passwd","category":"c","language":"en","question":"q","answer":"a"}""", "inside the suite")]
    [TestCase("""{"id":"0","image":"/etc/passwd","category":"c","language":"en","question":"q","answer":"a"}""", "inside the suite")]
    [TestCase("", "no questions")]
    public void A_broken_suite_is_refused_with_the_line(string line, string problem)
    {
        Write(line);
        CliRun.InProcess("eval", "--suite", _folder).FailedWith(1, problem);
    }

    [Test]
    public void A_missing_image_is_named()
    {
        Write("""{"id":"0","image":"absent.png","category":"c","language":"en","question":"q","answer":"a"}""");
        CliRun.InProcess("eval", "--suite", _folder).FailedWith(1, "absent.png");
    }

    [Test]
    public void An_unknown_suite_is_refused() => CliRun.InProcess("eval", "--suite", "no-such-suite").FailedWith(1, "no-such-suite", "questions.jsonl");

    [Test]
    public void Quantizing_the_original_gives_the_built_in_model()
    {
        string models = Path.Combine(Fixtures.RepositoryRoot, "models"), target = Path.Combine(_folder, "awq");
        CliResult result = CliRun.InProcess("quantize", Path.Combine(models, "tiny-vl"), "-o", target, "--group-size", "32", "--include-vision").Succeeded();
        Assert.That(result.Output, Does.Contain("4 bits in groups of 32"));
        foreach (string file in new[] { "model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "preprocessor_config.json" })
            Assert.That(File.ReadAllBytes(Path.Combine(target, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(models, BuiltInModel.Name, file))), file);
        CliRun.InProcess("quantize", target, "-o", Path.Combine(_folder, "again")).FailedWith(1, "quantised already");
        CliRun.InProcess("quantize", Path.Combine(models, "tiny-vl"), "-o", target).FailedWith(1, "exists");
        CliRun.InProcess("quantize", Path.Combine(models, "tiny-vl"), "-o", Path.Combine(_folder, "odd"), "--group-size", "48").FailedWith(1, "48");
    }

    private void Write(string line) => File.WriteAllText(Path.Combine(_folder, "questions.jsonl"), line + "\n");

    private void Copy(string file) => File.Copy(Path.Combine(Samples, file), Path.Combine(_folder, file));
}
