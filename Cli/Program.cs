namespace Portable.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        using var console = CliConsole.OfProcess();
        return CliProgram.Run(args, console);
    }
}
