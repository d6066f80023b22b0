namespace Portable.Cli.Tests;

/// <summary>What a terminal gets that a pipe does not, and what untrusted text cannot do to either.</summary>
public class TerminalTests
{
    private static (CliConsole Console, StringWriter Output) Console(bool isTerminal, bool hasStyles)
    {
        var output = new StringWriter { NewLine = "\n" };
        return (new CliConsole(TextReader.Null, output, TextWriter.Null) { IsOutputTerminal = isTerminal, HasStyles = hasStyles }, output);
    }

    [TestCase(true, true, "\u001b[2mhm\u001b[0m\nyes\n", TestName = "reasoning is dimmed on a terminal")]
    [TestCase(true, false, "yes\n", TestName = "reasoning is left out on a terminal without styles")]
    [TestCase(false, false, "yes\n", TestName = "reasoning is left out in a pipe")]
    public void Reasoning_is_shown_only_where_it_can_be_told_from_the_answer(bool isTerminal, bool hasStyles, string expected)
    {
        (CliConsole console, StringWriter output) = Console(isTerminal, hasStyles);
        using (console)
        {
            var answer = new AnswerText(console);
            answer.WriteReasoning("hm");
            answer.Write("yes");
            answer.End();
            Assert.That(output.ToString(), Is.EqualTo(expected));
        }
    }

    [TestCase(true, "a\uFFFD]0;b\uFFFDc\n", TestName = "a model cannot drive a terminal")]
    [TestCase(false, "a\u001b]0;b\ac\n", TestName = "a pipe gets the answer as it is")]
    public void Control_characters_of_an_answer(bool isTerminal, string expected)
    {
        (CliConsole console, StringWriter output) = Console(isTerminal, hasStyles: true);
        using (console)
        {
            var answer = new AnswerText(console);
            answer.Write("a\u001b]0;b\ac");
            answer.End();
            Assert.That(output.ToString(), Is.EqualTo(expected));
        }
    }

    [Test]
    public void A_report_in_a_pipe_keeps_names_from_files_on_their_line()
    {
        (CliConsole console, StringWriter output) = Console(isTerminal: false, hasStyles: false);
        using (console)
            new Report("Tensor", "Size").Add("evil\nname\u001b[31m[red]", "1").Add("b", "22").Write(console);
        Assert.That(output.ToString(), Is.EqualTo("Tensor               Size\nevil name\uFFFD[31m[red]  1\nb                    22\n"));
    }

    [TestCase('\u202E')]
    [TestCase('\u202A')]
    [TestCase('\u2066')]
    [TestCase('\u2069')]
    [TestCase('\u200F')]
    [TestCase('\u061C')]
    public void A_mark_of_direction_cannot_reorder_a_line(char mark) =>
        Assert.That(CliConsole.OneLine($"photo{mark}gpj.exe"), Is.EqualTo("photo\uFFFDgpj.exe"));

    [Test]
    public void The_first_interrupt_ends_the_answer_and_the_next_one_the_command()
    {
        using var interrupts = new Interrupts();
        CancellationToken answer = interrupts.BeginAnswer().Token;
        Assert.That(interrupts.Interrupt(), Is.True);
        Assert.That(answer.IsCancellationRequested, Is.True);
        Assert.That(interrupts.Command.IsCancellationRequested, Is.False);
        interrupts.EndAnswer();
        Assert.That(interrupts.Interrupt(), Is.True);
        Assert.That(interrupts.Command.IsCancellationRequested, Is.True);
        Assert.That(interrupts.Interrupt(), Is.False, "whoever does not end is ended by the system");
    }

    [Test]
    public void An_interrupt_that_the_answer_does_not_heed_is_left_to_the_system_the_second_time()
    {
        using var interrupts = new Interrupts();
        interrupts.BeginAnswer();
        Assert.That(interrupts.Interrupt(), Is.True);
        Assert.That(interrupts.Interrupt(), Is.False);
    }
}
