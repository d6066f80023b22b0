using System.Text.Json;

namespace Portable.Cli.Tests;

/// <summary>`portable build`, and what the other commands make of an engine file.</summary>
public class BuildTests
{
    private string _folder = null!;

    private static string BuiltIn => Path.Combine(Fixtures.RepositoryRoot, "models", "tiny-vl-awq");

    private static string Receipt => Path.Combine(Fixtures.RepositoryRoot, "samples", "images", "receipt.png");

    private string Engine => Path.Combine(_folder, "tiny model.engine");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-build-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void An_engine_file_is_built_described_verified_and_asked()
    {
        CliResult built = CliRun.InProcess("build", BuiltIn, "-o", Engine).Succeeded();
        Assert.That(built.Output, Does.Contain("Engine file").And.Contain("packed by cpu:0"));

        CliResult described = CliRun.InProcess("inspect", Engine).Succeeded();
        Assert.That(described.Output, Does.Contain("engine file").And.Contain("not compared").And.Contain($"portable build {BuiltIn} -o \"{Engine}\""));
        using JsonDocument report = JsonDocument.Parse(CliRun.InProcess("inspect", Engine, "--verify", "--json").Succeeded().Output);
        Assert.That(report.RootElement.GetProperty("kind").GetString(), Is.EqualTo("engine"));
        Assert.That(report.RootElement.GetProperty("engine").GetProperty("isVerified").GetBoolean(), Is.True);

        CliResult asked = CliRun.InProcess("ask", Receipt, "What is the total?", "--model", Engine).Succeeded();
        Assert.That(asked.Output.Trim(), Is.EqualTo(CliRun.InProcess("ask", Receipt, "What is the total?", "--model", BuiltIn).Succeeded().Output.Trim()));
    }

    [Test]
    public void What_is_wrong_is_one_line()
    {
        CliRun.InProcess("build", BuiltIn).FailedWith(2, "--output");
        CliRun.InProcess("build", BuiltIn, "-o", "").FailedWith(2, "empty");
        CliRun.InProcess("build", BuiltIn, "-o", Engine, "--head-bits", "5").FailedWith(2, "4 or 6");
        CliRun.InProcess("build", Path.Combine(_folder, "nowhere"), "-o", Engine).FailedWith(1, "no such file or folder");
        CliRun.InProcess("build", BuiltIn, "-o", _folder).FailedWith(1, "is no engine file");
        CliRun.InProcess("inspect", BuiltIn, "--verify").FailedWith(2, "--verify");
        CliRun.InProcess("build", BuiltIn, "-o", Engine).Succeeded();
        CliRun.InProcess("build", Engine, "-o", Path.Combine(_folder, "again.engine")).FailedWith(1, "engine file already");
        CliRun.InProcess("quantize", Engine, "-o", Path.Combine(_folder, "again")).FailedWith(1);
        CliRun.InProcess("ask", "hi", "--model", Engine, "--numerics", "reference").FailedWith(1, "--numerics reference");
        byte[] bytes = File.ReadAllBytes(Engine);
        bytes[4096] ^= 1;
        File.WriteAllBytes(Engine, bytes);
        CliRun.InProcess("inspect", Engine, "--verify").FailedWith(1, "build the engine file again");
    }
}
