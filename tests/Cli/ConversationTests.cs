using System.Diagnostics;
using System.Text.Json;

namespace Portable.Cli.Tests;

/// <summary>The program holds conversations with the real model: as a child process, as people run it.</summary>
[Category("Golden")]
public class ConversationTests
{
    [Test]
    public void Ask_answers_a_question_and_the_answer_is_all_that_stdout_holds()
    {
        CliResult result = CliRun.Child("ask", "--model", CliRun.RequiredModel(), "--max-tokens", "24", "--stats", "What is the capital of Italy? Answer in one short sentence.").Succeeded();
        Assert.That(result.Output, Does.Contain("Rome"));
        Assert.That(result.Output, Does.EndWith(Environment.NewLine));
        Assert.That(result.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(result.Error, Does.Contain("tok/s").And.Contain("cached"));
    }

    [Test]
    public void Ask_reads_the_question_from_stdin_and_writes_json()
    {
        CliResult result = CliRun.ChildWithInput("What is the capital of Italy? Answer in one short sentence.\n", "ask", "--model", CliRun.RequiredModel(), "--max-tokens", "4", "--json", "-").Succeeded();
        using JsonDocument json = JsonDocument.Parse(result.Output);
        JsonElement answer = json.RootElement;
        Assert.That(answer.GetProperty("text").GetString(), Is.Not.Empty);
        Assert.That(answer.GetProperty("finishReason").GetString(), Is.EqualTo("length"));
        Assert.That(answer.GetProperty("usage").GetProperty("outputTokens").GetInt32(), Is.EqualTo(4));
        Assert.That(answer.GetProperty("timing").GetProperty("promptTokensPerSecond").GetDouble(), Is.GreaterThan(0));
        Assert.That(result.Error, Is.Empty);
    }

    [Test]
    public void Chat_takes_a_turn_a_line_remembers_the_one_before_and_keeps_its_kv_cache()
    {
        CliResult result = CliRun.ChildWithInput(
            "What is the capital of Italy? Answer in one short sentence.\n\nWhich country is that city in?\n", "chat", "--model", CliRun.RequiredModel(), "--max-tokens", "24", "--json").Succeeded();
        JsonElement[] turns = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => JsonDocument.Parse(l).RootElement)];
        Assert.That(turns, Has.Length.EqualTo(2));
        Assert.That(turns[0].GetProperty("text").GetString(), Does.Contain("Rome"));
        Assert.That(turns[1].GetProperty("text").GetString(), Does.Contain("Italy"));
        JsonElement usage = turns[1].GetProperty("usage");
        Assert.That(usage.GetProperty("cachedTokens").GetInt32(), Is.GreaterThanOrEqualTo(turns[0].GetProperty("usage").GetProperty("promptTokens").GetInt32()));
        Assert.That(usage.GetProperty("cachedTokens").GetInt32(), Is.LessThan(usage.GetProperty("promptTokens").GetInt32()));
    }

    [Test]
    public void Chat_commands_reset_and_end_the_conversation()
    {
        CliResult result = CliRun.ChildWithInput(
            "/help\nHello\n/reset\nHello\n/exit\nnever asked\n", "chat", "--model", CliRun.RequiredModel(), "--max-tokens", "4", "--json").Succeeded();
        JsonElement[] turns = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => JsonDocument.Parse(l).RootElement)];
        Assert.That(turns, Has.Length.EqualTo(2));
        Assert.That(turns[1].GetProperty("text").GetString(), Is.EqualTo(turns[0].GetProperty("text").GetString()), "greedy, and nothing is remembered");
        Assert.That(turns[1].GetProperty("usage").GetProperty("promptTokens").GetInt32(), Is.EqualTo(turns[0].GetProperty("usage").GetProperty("promptTokens").GetInt32()));
        Assert.That(result.Error, Does.Contain("/exit"));
    }

    [Test]
    public void Chat_goes_on_after_a_line_that_fails_and_ends_with_exit_code_1()
    {
        string question = string.Join(' ', Enumerable.Repeat("word", 200));
        CliResult result = CliRun.InProcessWithInput(
            $"{question}\n/foo bar\n/image\nHello\n", "chat", "--model", Tiny(), "--context", "100", "--max-tokens", "2", "--json");
        Assert.That(result.ExitCode, Is.EqualTo(1), result.ToString());
        Assert.That(result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1), "the one sound turn");
        Assert.That(result.ErrorLines, Has.Length.EqualTo(3), result.ToString());
        Assert.That(result.ErrorLines, Has.All.StartsWith("portable: error: "));
        Assert.That(result.ErrorLines[0], Does.Contain("99"));
        Assert.That(result.ErrorLines[1], Does.Contain("unknown command '/foo bar'").And.Contain("/help"));
        Assert.That(result.ErrorLines[2], Does.Contain("/image").And.Contain("/help"));
    }

    [Test]
    public void Two_slashes_begin_a_message_with_one()
    {
        Assert.That(Chatted("//a"), Is.EqualTo(Asked("/a")).And.Not.EqualTo(Asked("//a")));

        static string Chatted(string line) => Text(CliRun.InProcessWithInput(line + "\n", "chat", "--model", Tiny(), "--max-tokens", "8", "--json"));
        static string Asked(string question) => Text(CliRun.InProcess("ask", "--model", Tiny(), "--max-tokens", "8", "--json", question));
        static string Text(CliResult result) => JsonDocument.Parse(result.Succeeded().Output).RootElement.GetProperty("text").GetString()!;
    }

    [Test]
    public void A_model_without_eyes_refuses_an_image_when_it_is_attached_and_not_later()
    {
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        CliResult result = CliRun.InProcessWithInput($"/image {image}\nHello\n", "chat", "--model", Tiny(), "--max-tokens", "2", "--json").FailedWith(1, "mage", "not supported");
        Assert.That(result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1), "the message after it is answered");
    }

    private static string Tiny() => CliRun.Required("checkpoints", "smollm2");

    [Test]
    public void A_seed_repeats_a_drawn_answer()
    {
        string[] args = ["ask", "--model", CliRun.RequiredModel(), "--max-tokens", "12", "--temperature", "1.5", "--seed", "7", "Tell me a story."];
        Assert.That(CliRun.InProcess(args).Succeeded().Output, Is.EqualTo(CliRun.InProcess(args).Succeeded().Output));
    }

    [Test]
    public void A_question_longer_than_the_context_fails_before_prefill_with_both_counts() =>
        CliRun.InProcess("ask", "--model", CliRun.RequiredModel(), "--context", "40", string.Join(' ', Enumerable.Repeat("word", 100))).FailedWith(1, "tokens", "39");

    [Test]
    public void An_image_for_a_model_without_eyes_and_a_file_that_does_not_exist_are_refused()
    {
        string model = CliRun.RequiredModel();
        CliRun.InProcess("ask", "--model", model, "no-such.png", "What is this?").FailedWith(1, "no-such.png");
        string image = Directory.EnumerateFiles(CliRun.Required("images", "src"), "*.png").Order(StringComparer.Ordinal).First();
        CliRun.InProcess("ask", "--model", model, image, "What is this?").FailedWith(1, "mage", "not supported");
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void An_interrupt_ends_the_answer_cleanly_with_exit_code_130()
    {
        using Process process = CliRun.Start("portable.dll", "ask", "--model", CliRun.RequiredModel(), "--max-tokens", "4000", "Tell me a very long story about the sea.");
        process.StandardInput.Close();
        var begun = new char[1];
        Assert.That(process.StandardOutput.Read(begun, 0, 1), Is.EqualTo(1), "the answer has begun");
        CliRun.Interrupt(process);
        string rest = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        Assert.That(process.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(process.ExitCode, Is.EqualTo(130), rest + error);
        Assert.That(error, Is.Empty);
        Assert.That(rest, Does.EndWith("\n"));
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void A_reader_that_leaves_ends_the_program_quietly_long_before_the_answer_would_end()
    {
        using Process process = CliRun.Start("portable.dll", "ask", "--model", CliRun.RequiredModel(), "--max-tokens", "4000", "Tell me a very long story about the sea.");
        process.StandardInput.Close();
        var begun = new char[1];
        Assert.That(process.StandardOutput.Read(begun, 0, 1), Is.EqualTo(1), "the answer has begun");
        process.StandardOutput.Close();
        string error = process.StandardError.ReadToEnd();
        Assert.That(process.WaitForExit(TimeSpan.FromSeconds(30)), Is.True);
        Assert.That(process.ExitCode, Is.Zero, error);
        Assert.That(error, Is.Empty);
    }

    [Test]
    public void The_quickstart_of_the_readme_answers_a_question()
    {
        CliResult result = CliRun.ChildProgram("Quickstart.dll", CliRun.RequiredModel(), "What is the capital of Italy? Answer in one short sentence.").Succeeded();
        Assert.That(result.Output, Does.Contain("Rome"));
    }
}
