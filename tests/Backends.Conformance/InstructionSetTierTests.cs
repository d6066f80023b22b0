using System.Diagnostics;
using System.Runtime.InteropServices;
using Portable.Conformance;

namespace Portable.Tests;

/// <summary>
/// The CPU leaves again in a child process for each instruction-set tier below what the machine has: a kernel's narrow
/// forms must conform as its widest does. The runtime's own switches take the instruction sets away.
/// </summary>
[TestFixture]
public sealed class InstructionSetTierTests
{
    [TestCase(512)]
    [TestCase(256, "EnableAVX512", "EnableAVX512F")]
    [TestCase(128, "EnableAVX512", "EnableAVX512F", "EnableAVX2", "EnableAVX")]
    [TestCase(0, "EnableHWIntrinsic")]
    public async Task The_cpu_conforms_with_vectors_of_at_most(int bits, params string[] switchedOff)
    {
        if (bits > VectorTier.Current)
            Assert.Ignore($"this machine lacks vectors of {bits} bits");
        if (bits == 0 && RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            Assert.Ignore($"vectors cannot be switched off on {RuntimeInformation.ProcessArchitecture}");
        var start = new ProcessStartInfo(Host()) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(typeof(Check).Assembly.Location);
        start.ArgumentList.Add(Leaves.CpuReference.Name);
        start.ArgumentList.Add(Leaves.CpuFast.Name);
        foreach (string name in switchedOff)
            start.Environment[$"DOTNET_{name}"] = "0";
        using Process child = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        Task<string> output = child.StandardOutput.ReadToEndAsync(), errors = child.StandardError.ReadToEndAsync();
        try
        {
            await child.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            child.Kill(entireProcessTree: true);
            Assert.Fail($"the child did not end within 5 minutes: {await output}");
        }

        TestContext.Out.WriteLine(await output);
        Assert.Multiple(() =>
        {
            Assert.That(output.Result, Does.StartWith($"vectors: {bits} bits"), "the tier that was asked for is the one that ran");
            Assert.That(child.ExitCode, Is.Zero, $"{output.Result}{errors.Result}");
        });
    }

    // The host that runs this very runtime: .../shared/Microsoft.NETCore.App/VERSION/ lies three folders below it.
    private static string Host()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(beside) ? beside : name;
    }
}
