using System.CommandLine;
using System.CommandLine.Parsing;
using Microsoft.Extensions.Options;
using Portable.Cli.Commands;

namespace Portable.Cli;

/// <summary>The whole program: parses, runs a command, and turns every failure into one line and an exit code.</summary>
internal static class CliProgram
{
    /// <summary>Runs a command line. Never throws.</summary>
    public static int Run(string[] args, CliConsole console)
    {
        var debug = new Option<bool>("--debug") { Description = "Show the stack trace of an error.", Recursive = true };
        string command = "portable";
        try
        {
            ParseResult parsed = Parse(args, debug, console);
            if (parsed.CommandResult.Command is not RootCommand)
                command += $" {parsed.CommandResult.Command.Name}";
            int code = RunAsync(parsed, console).GetAwaiter().GetResult();
            console.Output.Flush();
            return code;
        }
        catch (OutputClosedException)
        {
            return ExitCode.Done;
        }
        catch (Exception error)
        {
            return Fail(error, command, args, console);
        }
    }

    private static ParseResult Parse(string[] args, Option<bool> debug, CliConsole console)
    {
        var root = new RootCommand($"Runs language and vision-language models on this machine, offline.\n{ExitCode.Help}")
        {
            AskCommand.Create(console),
            ChatCommand.Create(console),
            InspectCommand.Create(console),
            TokenizeCommand.Create(console),
            DoctorCommand.Create(console),
            BenchCommand.Create(console),
            EvalCommand.Create(console),
            QuantizeCommand.Create(console),
            BuildCommand.Create(console),
        };
        root.Options.Add(debug);
        // "@name" is a way to begin a question, not a file of options.
        return root.Parse(
            args switch
            {
                [] => ["--help"],
                ["help", .. string[] rest] => [.. rest, "--help"],
                _ => args,
            },
            new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
    }

    private static async Task<int> RunAsync(ParseResult parsed, CliConsole console)
    {
        if (Problem(parsed) is { } problem)
            throw new UsageException(problem);
        return await parsed.InvokeAsync(
            new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = console.Output,
                Error = console.Error,
            },
            console.Interrupts.Command).ConfigureAwait(false);
    }

    /// <summary>What is wrong with a command line, as a sentence; null when nothing is.</summary>
    private static string? Problem(ParseResult parsed)
    {
        // The parser takes a misspelt option for one more argument, if the command takes arguments. After "--" it is one.
        int literal = parsed.Tokens.SkipWhile(static t => t.Type != TokenType.DoubleDash).Skip(1).Count();
        string? option = parsed.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(static r => r.Tokens).Select(static t => t.Value).Concat(parsed.UnmatchedTokens).SkipLast(literal)
            .FirstOrDefault(static a => a is ['-', not ('.' or (>= '0' and <= '9')), ..]);
        if (option is not null)
            return $"Unrecognised option '{CommandOptions.Shorten(option)}'; what begins with '-' and is no option goes after '--'.";
        if (parsed.UnmatchedTokens is [string unknown, ..])
            return $"{(parsed.CommandResult.Command is RootCommand ? "Unknown command" : "Unexpected argument")} '{CommandOptions.Shorten(unknown)}'.";
        return parsed.Errors.Count > 0 ? parsed.Errors[0].Message : null;
    }

    private static int Fail(Exception error, string command, string[] args, CliConsole console)
    {
        try
        {
            // What was written before the failure goes out before the message.
            console.Output.Flush();
        }
        catch (Exception closed) when (closed is IOException or UnauthorizedAccessException)
        {
            // The output is gone or full; the message on stderr is what is left to say.
        }

        (int code, string message) = error switch
        {
            OperationCanceledException or ObjectDisposedException when console.Interrupts.Command.IsCancellationRequested => (ExitCode.Interrupted, ""),
            UsageException => (ExitCode.Usage, $"{error.Message} See '{command} --help'."),
            PortableException or IOException or UnauthorizedAccessException or OptionsValidationException => (ExitCode.Failed, error.Message),
            _ => (ExitCode.Internal, $"unexpected {error.GetType().Name}: {error.Message} (--debug shows the trace)"),
        };
        if (message.Length > 0)
            console.WriteError(message);
        if (code is ExitCode.Failed or ExitCode.Internal && args.Contains("--debug"))
            console.Error.WriteLine(error);
        return code;
    }
}
