using System.Text;
using Spectre.Console;

namespace Portable.Cli;

/// <summary>
/// Where a command reads and writes: the process's streams, or a test's. A terminal gets tables, styles and progress;
/// a pipe or file gets plain text.
/// </summary>
internal sealed class CliConsole(TextReader input, TextWriter output, TextWriter error) : IDisposable
{
    private IAnsiConsole? _styledOutput;
    private IAnsiConsole? _styledError;

    public TextReader Input { get; } = input;

    /// <summary>For answers and reports.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>For errors, progress and statistics.</summary>
    public TextWriter Error { get; } = error;

    public bool IsInputTerminal { get; init; }

    public bool IsOutputTerminal { get; init; }

    public bool IsErrorTerminal { get; init; }

    /// <summary>Whether styles may be written to a terminal: NO_COLOR (no-color.org) and TERM=dumb forbid it.</summary>
    public bool HasStyles { get; init; }

    public Interrupts Interrupts { get; } = new();

    /// <summary>The output as Spectre sees it; for terminals only.</summary>
    public IAnsiConsole StyledOutput => _styledOutput ??= Styled(Output);

    /// <summary>The error stream as Spectre sees it; for terminals only.</summary>
    public IAnsiConsole StyledError => _styledError ??= Styled(Error);

    /// <summary>The streams of this process, with Ctrl-C and termination reported to <see cref="Interrupts"/>.</summary>
    public static CliConsole OfProcess()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        if (OperatingSystem.IsWindows())
            Console.OutputEncoding = utf8;
        var console = new CliConsole(
            Console.IsInputRedirected ? new StreamReader(Console.OpenStandardInput(), utf8) : Console.In,
            Console.IsOutputRedirected ? new StreamWriter(new PipeStream(), utf8) : Console.Out,
            Console.Error)
        {
            IsInputTerminal = !Console.IsInputRedirected,
            IsOutputTerminal = !Console.IsOutputRedirected,
            IsErrorTerminal = !Console.IsErrorRedirected,
            HasStyles = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
                && Environment.GetEnvironmentVariable("TERM") != "dumb",
        };
        console.Interrupts.ListenToProcess();
        return console;
    }

    /// <summary>A line on stderr, whatever the message holds. Where stderr is closed or full the exit code must do.</summary>
    public void WriteError(string message)
    {
        try
        {
            Error.WriteLine($"portable: error: {OneLine(message)}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // There is nowhere left to say it.
        }
    }

    /// <summary>
    /// Text from a file or a model that must stay on its line: control characters, which could drive a terminal or
    /// forge further lines, and marks of direction, which could reorder this one, become spaces or U+FFFD.
    /// </summary>
    public static string OneLine(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (c is '\n' or '\r' or '\t' or '\u2028' or '\u2029')
            {
                if (line.Length > 0 && line[^1] != ' ')
                    line.Append(' ');
            }
            else
            {
                line.Append(char.IsControl(c) || IsDirection(c) ? '\uFFFD' : c);
            }
        }

        return line.ToString().TrimEnd();
    }

    /// <summary>A dim line on stderr about what was done, whatever the message holds.</summary>
    public void WriteNote(string message)
    {
        if (IsErrorTerminal && HasStyles)
            StyledError.Write(new Text(OneLine(message) + "\n", new Style(decoration: Decoration.Dim)));
        else
            Error.WriteLine(OneLine(message));
    }

    public void Dispose() => Interrupts.Dispose();

    private static bool IsDirection(char c) =>
        c is '\u061C' or '\u200E' or '\u200F' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    private IAnsiConsole Styled(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        Ansi = AnsiSupport.Detect,
        ColorSystem = HasStyles ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });
}
