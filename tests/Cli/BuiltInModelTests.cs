using System.Text.Json;
using Portable.Cli.Commands;

namespace Portable.Cli.Tests;

/// <summary>The model that comes with the program, and what its cards say of it.</summary>
public class BuiltInModelTests
{
    private const long MostModelBytes = 8 << 20;
    private const long MostOriginalBytes = 20 << 20;

    private static string Root => Fixtures.RepositoryRoot;

    private static IEnumerable<string> Cards() =>
        Directory.Exists(Path.Combine(Root, "models")) ? Directory.EnumerateDirectories(Path.Combine(Root, "models")).Where(static d => File.Exists(Path.Combine(d, "figures.json"))) : [];

    [Test]
    public void A_question_about_the_receipt_needs_no_model_and_is_answered_rightly()
    {
        string wanted = Answer("receipt.png", "What is the total?");
        Assert.That(CliRun.Child("ask", Sample("receipt.png"), "What is the total?").Succeeded().Output.Trim(), Is.EqualTo(wanted));
        Assert.That(CliRun.InProcess("ask", Sample("receipt.png"), "合计是多少?").Succeeded().Output.Trim(), Is.EqualTo(wanted));
        Assert.That(File.ReadAllText(Path.Combine(Root, "README.md")), Does.Contain($"`{wanted}`"));
    }

    [Test]
    public void It_is_beside_the_program_and_small_enough()
    {
        Assert.That(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "models", BuiltInModel.Name)), "it is content of the program");
        Assert.That(Bytes(Path.Combine(Root, "models", BuiltInModel.Name)), Is.LessThanOrEqualTo(MostModelBytes));
        Assert.That(Bytes(Path.Combine(Root, "models", "tiny-vl")), Is.LessThanOrEqualTo(MostOriginalBytes));
    }

    [TestCaseSource(nameof(Cards))]
    public void The_card_shows_what_eval_printed(string model)
    {
        EvalReport report = JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(model, "figures.json")), CliJson.Indented.EvalReport)!;
        var output = new StringWriter { NewLine = "\n" };
        using (var console = new CliConsole(new StringReader(""), output, TextWriter.Null))
            EvalCommand.Table(report).Write(console);
        Assert.That(File.ReadAllText(Path.Combine(model, "README.md")).ReplaceLineEndings("\n"), Does.Contain($"```\n{output}"));
        Assert.That(report.Asked, Is.GreaterThanOrEqualTo(2000), "the whole suite");
    }

    [Test]
    public void Its_limits_are_in_the_help() =>
        Assert.That(CliRun.InProcess("ask", "--help").Succeeded().Output.ReplaceLineEndings(" "), Does.Contain("photographs"));

    private static string Sample(string file) => Path.Combine(Root, "samples", "images", file);

    private static string Answer(string image, string question) =>
        File.ReadLines(Sample("questions.jsonl")).Select(static l => JsonDocument.Parse(l).RootElement)
            .Single(q => q.GetProperty("image").GetString() == image && q.GetProperty("question").GetString() == question).GetProperty("answer").GetString()!;

    private static long Bytes(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Sum(static f => new FileInfo(f).Length);
}
