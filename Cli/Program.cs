using System.Globalization;

namespace Portable.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        // The same numbers are written and understood everywhere.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        using var console = CliConsole.OfProcess();
        return CliProgram.Run(args, console);
    }
}
