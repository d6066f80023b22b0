using System.CommandLine;
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
        try
        {
            int code = RunAsync(args, debug, console).GetAwaiter().GetResult();
            console.Output.Flush();
            return code;
        }
        catch (OutputClosedException)
        {
            return ExitCode.Done;
        }
        catch (Exception error)
        {
            return Fail(error, args, console);
        }
    }

    private static async Task<int> RunAsync(string[] args, Option<bool> debug, CliConsole console)
    {
        var root = new RootCommand($"Runs language and vision-language models on this machine, offline.\n{ExitCode.Help}")
        {
            AskCommand.Create(console),
            ChatCommand.Create(console),
            InspectCommand.Create(console),
            TokenizeCommand.Create(console),
            DoctorCommand.Create(console),
            BenchCommand.Create(console),
        };
        root.Options.Add(debug);
        // "@name" is a way to begin a question, not a file of options.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parsed.Errors.Count > 0)
            throw new UsageException(parsed.Errors[0].Message);
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

    private static int Fail(Exception error, string[] args, CliConsole console)
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
            UsageException => (ExitCode.Usage, $"{error.Message} See 'portable --help'."),
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
