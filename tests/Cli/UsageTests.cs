namespace Portable.Cli.Tests;

/// <summary>A wrong command line: one line and exit code 2, before anything is loaded.</summary>
public class UsageTests
{
    private static IEnumerable<TestCaseData> WrongCommandLines() =>
    [
        Case("an unknown command", "dance"),
        Case("ask without a question", "ask"),
        Case("ask with an empty question", "ask", "--model", "m", ""),
        Case("threads that are no number", "ask", "--model", "m", "--threads", "many", "hello"),
        Case("negative threads", "ask", "--model", "m", "--threads", "-1", "hello"),
        Case("no token allowed", "ask", "--model", "m", "--max-tokens", "0", "hello"),
        Case("a negative temperature", "ask", "--model", "m", "--temperature", "-1", "hello"),
        Case("a temperature that is no number", "ask", "--model", "m", "--temperature", "NaN", "hello"),
        Case("unknown numerics", "ask", "--model", "m", "--numerics", "quick", "hello"),
        Case("a memory size that is none", "ask", "--model", "m", "--memory", "lots", "hello"),
        Case("a memory size beyond all bounds", "ask", "--model", "m", "--memory", "99999999999G", "hello"),
        Case("a temperature that is too high", "ask", "--model", "m", "--temperature", "101", "hello"),
        Case("an unknown option", "chat", "--unknown"),
        Case("an argument that is not taken", "doctor", "extra"),
        Case("a bench of a part of a token", "bench", "--model", "m", "--generate", "2.5"),
        Case("inspect without a model", "inspect"),
        Case("inspect with an empty path", "inspect", ""),
        Case("ids that are no numbers", "tokenize", "--model", "m", "--ids", "one"),
        Case("a bench without a prompt", "bench", "--model", "m", "--prompt", "0"),
    ];

    private static TestCaseData Case(string name, params string[] args) => new TestCaseData([args]).SetName($"exit code 2: {name}");

    [TestCaseSource(nameof(WrongCommandLines))]
    public void A_wrong_command_line_is_refused_with_exit_code_2(string[] args) => CliRun.InProcess(args).FailedWith(2, args[0] == "dance" ? "See 'portable --help'." : $"See 'portable {args[0]} --help'.");

    [Test]
    public void The_help_names_every_command_and_the_exit_codes()
    {
        CliResult help = CliRun.Child("--help").Succeeded();
        foreach (string word in (string[])["ask", "chat", "inspect", "tokenize", "doctor", "bench", "eval", "quantize", "build", "130 interrupted", "2 wrong usage"])
            Assert.That(help.Output, Does.Contain(word));
        Assert.That(help.Error, Is.Empty);
    }

    [TestCase("portable: error: --temperature: expected a number from 0 to 100, found 'hot'. See 'portable ask --help'.", "--temperature", "hot")]
    [TestCase("portable: error: --threads: expected a whole number from 0 to 1024, found '1.5'. See 'portable ask --help'.", "--threads", "1.5")]
    [TestCase("portable: error: --context: expected a whole number of 2 or more, found '1'. See 'portable ask --help'.", "--context", "1")]
    [TestCase("portable: error: --seed: expected a whole number, found 'x'. See 'portable ask --help'.", "--seed", "x")]
    [TestCase("portable: error: --numerics: expected 'fast' or 'reference', found 'turbo'. See 'portable ask --help'.", "--numerics", "turbo")]
    public void A_value_that_an_option_does_not_take_is_told_in_plain_words(string line, string option, string value) =>
        Assert.That(CliRun.InProcess("ask", "--model", "m", option, value, "hello").FailedWith(2).Error, Is.EqualTo(line + "\n"));

    [Test]
    public void An_unknown_command_is_called_that() => CliRun.InProcess("dance").FailedWith(2, "Unknown command 'dance'.");

    [TestCase("ask", "--tempreture", "0.5", "hello")]
    [TestCase("ask", "photo.png", "-x", "hello")]
    [TestCase("ask", "--loud")]
    [TestCase("tokenize", "--speical", "hello")]
    [TestCase("inspect", "--tensor")]
    [TestCase("chat", "--loud")]
    public void A_misspelt_option_is_no_argument(string command, params string[] args) =>
        CliRun.InProcess([command, .. args]).FailedWith(2, "Unrecognised option '-", $"'portable {command} --help'");

    [TestCase("-5")]
    [TestCase("-.5")]
    [TestCase("--", "-x")]
    [TestCase("--", "--loud")]
    public void A_negative_number_and_whatever_follows_two_dashes_is_a_question(params string[] question) =>
        CliRun.InProcess(["ask", "--model", "no-such-model", .. question]).FailedWith(1, "no-such-model");

    [TestCase]
    [TestCase("help")]
    public void Help_is_what_a_newcomer_gets(params string[] args)
    {
        CliResult help = CliRun.InProcess(args).Succeeded();
        Assert.That(help.Output, Is.EqualTo(CliRun.InProcess("--help").Output).And.Contain("tokenize"));
        Assert.That(help.Error, Is.Empty);
    }

    [Test]
    public void Help_about_a_command_is_its_own() =>
        Assert.That(CliRun.InProcess("help", "bench").Succeeded().Output, Is.EqualTo(CliRun.InProcess("bench", "--help").Output).And.Contain("--repeat"));

    [TestCase("ask")]
    [TestCase("chat")]
    [TestCase("bench")]
    [TestCase("inspect")]
    public void Every_command_explains_itself(string command)
    {
        CliResult help = CliRun.InProcess(command, "--help").Succeeded();
        foreach (string option in (string[])["--backend", "--threads", "--numerics", "--context", "--memory", "--json"])
            Assert.That(help.Output, Does.Contain(option));
    }

    [TestCase("800M", 800L << 20)]
    [TestCase("4GiB", 4L << 30)]
    [TestCase("1.5gb", 3L << 29)]
    [TestCase("4096", 4096L)]
    public void Sizes_are_read_in_powers_of_1024(string text, long bytes)
    {
        Assert.That(Sizes.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out long found), Is.True);
        Assert.That(found, Is.EqualTo(bytes));
    }

    [TestCase("")]
    [TestCase("G")]
    [TestCase("-1")]
    [TestCase("0")]
    [TestCase("1e9")]
    public void What_is_no_size_is_refused(string text) =>
        Assert.That(Sizes.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out _), Is.False);

    [Test]
    public void A_closed_error_stream_leaves_the_exit_code()
    {
        using var console = new CliConsole(new StringReader(""), new StringWriter(), new ClosedWriter());
        Assert.That(CliProgram.Run(["inspect", "/nothing/here"], console), Is.EqualTo(1));
    }

    private sealed class ClosedWriter : StringWriter
    {
        public override void WriteLine(string? value) => throw new UnauthorizedAccessException("Access to the path is denied.");
    }
}
