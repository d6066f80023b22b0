using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Portable.Cli.Tests;

/// <summary>What a run of the command line did.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Error)
{
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Output}\n--- stderr\n{Error}";

    /// <summary>Asserts success.</summary>
    public CliResult Succeeded()
    {
        Assert.That(ExitCode, Is.Zero, ToString());
        return this;
    }

    /// <summary>Asserts that the run ended with a code and exactly one readable line on stderr that holds all of these words.</summary>
    public CliResult FailedWith(int exitCode, params string[] words)
    {
        Assert.That(ExitCode, Is.EqualTo(exitCode), ToString());
        Assert.That(ErrorLines, Has.Length.EqualTo(1), ToString());
        Assert.That(Error, Does.StartWith("portable: error: "));
        Assert.That(Error.TrimEnd('\n', '\r').Any(char.IsControl), Is.False, "the line holds control characters");
        foreach (string word in words)
            Assert.That(Error, Does.Contain(word));
        return this;
    }
}

/// <summary>Runs the command line in this process or as a child. No run may ever show a stack trace.</summary>
internal static class CliRun
{
    /// <summary>The model that speaks; null where the fixtures are absent.</summary>
    public static string? RealModel => Fixtures.Find("models") is { } folder ? Directory.EnumerateFiles(folder, "*.gguf").Order(StringComparer.Ordinal).FirstOrDefault() : null;

    /// <summary>The path of a fixture, or the test is skipped by name.</summary>
    public static string Required(params string[] parts)
    {
        string? path = Fixtures.Find(parts);
        if (path is null)
            Assert.Ignore($"fixtures absent: no '{string.Join('/', parts)}'");
        return path!;
    }

    /// <summary>The real model, or the test is skipped by name.</summary>
    public static string RequiredModel()
    {
        if (RealModel is null)
            Assert.Ignore("fixtures absent: no GGUF model under 'models'");
        return RealModel!;
    }

    public static CliResult InProcess(params string[] args) => InProcessWithInput("", args);

    public static CliResult InProcessWithInput(string input, params string[] args) => InProcess(input, isInputTerminal: false, args);

    /// <summary>Runs as if a person typed the input.</summary>
    public static CliResult AtTerminal(string input, params string[] args) => InProcess(input, isInputTerminal: true, args);

    private static CliResult InProcess(string input, bool isInputTerminal, string[] args)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        using var console = new CliConsole(new StringReader(input), output, error) { IsInputTerminal = isInputTerminal };
        return Checked(new CliResult(CliProgram.Run(args, console), output.ToString(), error.ToString()));
    }

    public static CliResult Child(params string[] args) => ChildWithInput(null, args);

    public static CliResult ChildWithInput(string? input, params string[] args) => Wait(Start("portable.dll", args), input);

    /// <summary>Runs another program that was built beside the tests.</summary>
    public static CliResult ChildProgram(string assembly, params string[] args) => Wait(Start(assembly, args), null);

    public static Process Start(string assembly, params string[] args)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, assembly));
        foreach (string arg in args)
            start.ArgumentList.Add(arg);
        start.Environment.Remove("PORTABLE_MODEL");
        start.Environment.Remove("PORTABLE_BACKEND");
        return Process.Start(start)!;
    }

    public static CliResult Wait(Process process, string? input)
    {
        using (process)
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            if (input is not null)
                process.StandardInput.Write(input);
            process.StandardInput.Close();
            if (!process.WaitForExit(TimeSpan.FromMinutes(3)))
            {
                process.Kill();
                Assert.Fail("the process did not end within 3 minutes");
            }

            return Checked(new CliResult(process.ExitCode, output.Result, error.Result));
        }
    }

    /// <summary>What Ctrl-C sends.</summary>
    public static void Interrupt(Process process) => Assert.That(Kill(process.Id, 2), Is.Zero);

    private static CliResult Checked(CliResult result)
    {
        Assert.That(result.Error, Does.Not.Contain("   at "), "a stack trace");
        return result;
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int process, int signal);
}
