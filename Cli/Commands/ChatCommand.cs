using System.CommandLine;
using Microsoft.Extensions.AI;
using Spectre.Console;

namespace Portable.Cli.Commands;

/// <summary>A conversation: at a terminal with a prompt, from a pipe a turn for each line until its end.</summary>
internal static class ChatCommand
{
    private const string Help = """
        /image FILE  show an image with the next message
        /reset       forget the conversation and the images attached
        /help        this text
        /exit        end (also Ctrl-D; Ctrl-C ends an answer)
        //...        a message that begins with a slash
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
            return await new Turns(console, session, conversation, isJson, options.ShowsStats(parsed)).RunAsync(cancellation).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>The lines of a conversation, each a command or a message. One that fails does not end it.</summary>
    private sealed class Turns(CliConsole console, ModelSession session, Conversation conversation, bool isJson, bool showsStats)
    {
        private readonly List<(string File, DataContent Image)> _attached = [];

        public async Task<int> RunAsync(CancellationToken cancellation)
        {
            bool isInteractive = console.IsInputTerminal, hasFailed = false;
            if (isInteractive)
                console.Error.WriteLine("/help lists the commands, /exit ends.");
            while (true)
            {
                if (isInteractive)
                    Prompt();
                // A read can't be cancelled; the waiting for it can.
                string? line = await Task.Run(console.Input.ReadLine, CancellationToken.None).WaitAsync(cancellation).ConfigureAwait(false);
                string trimmed = line?.Trim() ?? "/exit";
                if (trimmed is "/exit" or "/quit")
                    // A person has seen the errors; a script has only the exit code.
                    return hasFailed && !isInteractive ? ExitCode.Failed : ExitCode.Done;
                try
                {
                    if (trimmed.Length == 0)
                        continue;
                    if (trimmed[0] == '/' && !trimmed.StartsWith("//", StringComparison.Ordinal))
                        hasFailed |= !Obey(trimmed);
                    else if (!await AskAsync(trimmed[0] == '/' ? trimmed[1..] : line!).ConfigureAwait(false)
                        && (!isInteractive || cancellation.IsCancellationRequested))
                        return ExitCode.Interrupted;
                }
                catch (PortableException error) when (error is not DeviceException { IsDeviceLost: true })
                {
                    hasFailed = true;
                    console.WriteError(error.Message);
                    if (isInteractive && _attached.Count > 0)
                        console.WriteNote(Attached("still attached"));
                }
            }
        }

        /// <summary>Does what a line with a slash says; false for one that says nothing known.</summary>
        private bool Obey(string line)
        {
            string[] words = line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            switch (words)
            {
                case ["/help"]:
                    console.Error.WriteLine(Help);
                    return true;
                case ["/reset"]:
                    conversation.Reset();
                    _attached.Clear();
                    return true;
                case ["/image", string file]:
                    DataContent image = Conversation.ReadImage(file);
                    session.CheckImage(file, image);
                    _attached.Add((file, image));
                    console.WriteNote(Attached("attached"));
                    return true;
                case ["/image"]:
                    console.WriteError("/image names no file; /help lists the commands.");
                    return false;
                default:
                    console.WriteError($"unknown command '{CommandOptions.Shorten(line)}'; /help lists the commands.");
                    return false;
            }
        }

        /// <summary>Asks and answers; false for an answer that was interrupted.</summary>
        private async Task<bool> AskAsync(string question)
        {
            CancellationTokenSource answering = console.Interrupts.BeginAnswer();
            AnswerReport answer;
            try
            {
                answer = await conversation.AskAsync(
                    question, [.. _attached.Select(static a => a.Image)], [.. _attached.Select(static a => a.File)], answering.Token).ConfigureAwait(false);
            }
            catch (InvalidInputException error)
            {
                // An image that is itself at fault would fail every message after this one.
                _attached.RemoveAll(a => a.File == error.Input);
                throw;
            }
            finally
            {
                console.Interrupts.EndAnswer();
            }

            _attached.Clear();
            if (isJson)
                CliJson.Write(console, answer, CliJson.Line.AnswerReport);
            if (showsStats)
                AskCommand.WriteStats(console, answer);
            return !answer.IsCancelled;
        }

        private string Attached(string state) =>
            $"{_attached.Count} {(_attached.Count == 1 ? "image" : "images")} {state}: {string.Join(", ", _attached.Select(static a => Path.GetFileName(a.File)))}";

        private void Prompt()
        {
            if (console.IsErrorTerminal && console.HasStyles)
                console.StyledError.Write(new Text("> ", new Style(Color.Green)));
            else
                console.Error.Write("> ");
        }
    }
}
