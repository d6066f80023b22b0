using System.CommandLine;
using Microsoft.Extensions.AI;
using Spectre.Console;

namespace Portable.Cli.Commands;

/// <summary>A conversation: at a terminal with a prompt, from a pipe a turn for each line until its end.</summary>
internal static class ChatCommand
{
    private const string Help = """
        /image FILE  show an image with the next message
        /reset       forget the conversation
        /help        this text
        /exit        end (also Ctrl-D; Ctrl-C ends an answer)
        """;

    public static Command Create(CliConsole console)
    {
        var command = new Command("chat", "Hold a conversation. Piped input is read to its end, a line a turn. /help lists the commands.");
        CommandOptions options = new CommandOptions().AddModel(command).AddAnswer(command).AddJson(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            string path = options.ModelPath(parsed);
            await using ModelSession session = await ModelSession.LoadAsync(console, options.Settings(parsed, path), cancellation).ConfigureAwait(false);
            bool isJson = options.IsJson(parsed);
            var conversation = new Conversation(console, session, options.Answer(parsed), options.System(parsed)) { IsStreamed = !isJson };
            return await RunAsync(console, conversation, isJson, options.ShowsStats(parsed), cancellation).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> RunAsync(CliConsole console, Conversation conversation, bool isJson, bool showsStats, CancellationToken cancellation)
    {
        bool isInteractive = console.IsInputTerminal;
        if (isInteractive)
            console.Error.WriteLine("/help lists the commands, /exit ends.");
        var files = new List<string>();
        while (true)
        {
            if (isInteractive)
                Prompt(console);
            // A read can't be cancelled; the waiting for it can.
            string? line = await Task.Run(console.Input.ReadLine, CancellationToken.None).WaitAsync(cancellation).ConfigureAwait(false);
            if (line is null || line.Trim() is "/exit" or "/quit")
                return ExitCode.Done;
            try
            {
                switch (line.Trim())
                {
                    case "":
                        continue;
                    case "/help":
                        console.Error.WriteLine(Help);
                        continue;
                    case "/reset":
                        conversation.Reset();
                        files.Clear();
                        continue;
                    case var text when text.StartsWith("/image ", StringComparison.Ordinal):
                        string file = text[7..].Trim();
                        Conversation.ReadImages([file]);
                        files.Add(file);
                        continue;
                }

                IReadOnlyList<DataContent> images = Conversation.ReadImages(files);
                CancellationTokenSource answering = console.Interrupts.BeginAnswer();
                AnswerReport answer;
                try
                {
                    answer = await conversation.AskAsync(line, images, files, answering.Token).ConfigureAwait(false);
                }
                finally
                {
                    console.Interrupts.EndAnswer();
                }

                files.Clear();
                if (isJson)
                    CliJson.Write(console, answer, CliJson.Line.AnswerReport);
                if (showsStats)
                    AskCommand.WriteStats(console, answer);
                if (answer.IsCancelled && (!isInteractive || cancellation.IsCancellationRequested))
                    return ExitCode.Interrupted;
            }
            catch (PortableException error) when (isInteractive && error is not DeviceException { IsDeviceLost: true })
            {
                // A person can ask something else; a script must not go on as if nothing had been.
                files.Clear();
                console.WriteError(error.Message);
            }
        }
    }

    private static void Prompt(CliConsole console)
    {
        if (console.IsErrorTerminal && console.HasStyles)
            console.StyledError.Write(new Text("> ", new Style(Color.Green)));
        else
            console.Error.Write("> ");
    }
}
