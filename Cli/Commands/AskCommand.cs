using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.AI;

namespace Portable.Cli.Commands;

/// <summary>One question, with or without images, and its answer.</summary>
internal static class AskCommand
{
    private const int MostQuestionChars = 16 << 20;

    public static Command Create(CliConsole console)
    {
        var command = new Command("ask", $"Ask one question, about any number of images: ask receipt.png \"What is the total?\"\n{BuiltInModel.Limits}");
        var words = new Argument<string[]>("image... question")
        {
            Description = "Image files, then the question; '-' reads the question from stdin.",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Add(words);
        var video = new Option<string[]>("--video") { Description = "An animated GIF or WebP file that is shown as a video, before the images.", HelpName = "file", AllowMultipleArgumentsPerToken = false };
        command.Add(video);
        CommandOptions options = new CommandOptions().AddModel(command).AddAnswer(command).AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            string[] all = parsed.GetValue(words)!;
            string path = options.ModelPath(parsed);
            AIContent[] images = [.. (parsed.GetValue(video) ?? []).Select(Conversation.ReadVideo), .. all[..^1].Select(static f => Conversation.ReadImage(f, "; put a question of several words in quotes"))];
            string question = all[^1] == "-" ? await ReadQuestionAsync(console, cancellation).ConfigureAwait(false) : all[^1];
            if (string.IsNullOrWhiteSpace(question))
                throw new UsageException("The question is empty.");

            await using ModelSession session = await ModelSession.LoadAsync(console, options.Settings(parsed, path), cancellation).ConfigureAwait(false);
            bool isJson = options.IsJson(parsed);
            var conversation = new Conversation(console, session, options.Answer(parsed), options.System(parsed)) { IsStreamed = !isJson };
            AnswerReport answer = await conversation.AskAsync(question, images, all[..^1], cancellation).ConfigureAwait(false);
            if (isJson)
                CliJson.Write(console, answer, CliJson.Indented.AnswerReport);
            if (options.ShowsStats(parsed))
                WriteStats(console, answer);
            else if (!isJson && !answer.IsCancelled)
                console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"answered in {answer.Timing.TotalSeconds:0.00} s, the model loaded in {answer.Timing.LoadSeconds:0.00} s"));
            return answer.IsCancelled ? ExitCode.Interrupted : ExitCode.Done;
        });
        return command;
    }

    /// <summary>One line of numbers on stderr.</summary>
    public static void WriteStats(CliConsole console, AnswerReport answer)
    {
        UsageReport usage = answer.Usage;
        TimingReport timing = answer.Timing;
        console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"prompt {usage.PromptTokens} tokens ({usage.CachedTokens} cached), {Speed(timing.PromptTokensPerSecond)}; output {usage.OutputTokens} tokens, {Speed(timing.OutputTokensPerSecond)}; {answer.FinishReason}; loaded in {timing.LoadSeconds:0.00} s"));

        static string Speed(double? rate) => rate is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value:0.0} tok/s") : "- tok/s";
    }

    private static async Task<string> ReadQuestionAsync(CliConsole console, CancellationToken cancellation)
    {
        var buffer = new char[4096];
        var text = new System.Text.StringBuilder();
        while (true)
        {
            // A read from a terminal or a silent pipe can't be cancelled; the waiting for it can.
            int count = await Task.Run(() => console.Input.Read(buffer, 0, buffer.Length), CancellationToken.None).WaitAsync(cancellation).ConfigureAwait(false);
            if (count == 0)
                return text.ToString().TrimEnd('\r', '\n');
            text.Append(buffer, 0, count);
            if (text.Length > MostQuestionChars)
                throw new InvalidInputException("stdin", $"the question is longer than {MostQuestionChars} characters");
        }
    }
}
