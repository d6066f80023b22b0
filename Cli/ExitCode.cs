namespace Portable.Cli;

/// <summary>What the process ends with; stated in the help and the README.</summary>
internal static class ExitCode
{
    /// <summary>Done. Also when the reader of the output closed it early.</summary>
    public const int Done = 0;

    /// <summary>The model, an input or the device is at fault; one line on stderr says how.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A mistake in Portable itself.</summary>
    public const int Internal = 70;

    /// <summary>Interrupted by Ctrl-C or asked to end.</summary>
    public const int Interrupted = 130;

    public const string Help =
        "Exit codes: 0 done; 1 an error of model, input or device (one line on stderr); 2 wrong usage; 70 an internal error (--debug shows the trace); 130 interrupted.";
}

/// <summary>The command line asks for something that makes no sense: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
