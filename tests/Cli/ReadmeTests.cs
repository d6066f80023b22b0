namespace Portable.Tests;

/// <summary>What the README shows is what is compiled and run.</summary>
[TestFixture]
public sealed class ReadmeTests
{
    private static string Readme => File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "README.md"));

    [Test]
    public void TheExampleIsTheQuickstartProgram()
    {
        string program = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "samples", "Quickstart", "Program.cs")).TrimEnd();
        Assert.That(Readme, Does.Contain($"```csharp\n{program}\n```"));
        Assert.That(program.Split('\n').Count(l => l.Trim().Length > 0), Is.LessThanOrEqualTo(16), "lines");
    }

    [Test]
    public void TheFirstCommandAsksTheBuiltInModel() =>
        Assert.That(Readme, Does.Contain("```\ndotnet run -c Release --project Cli -- ask samples/images/receipt.png \"What is the total?\"\n"));

    [Test]
    public void TheTestCommandIsTheOneThatCiRuns()
    {
        Assert.That(Readme, Does.Contain("dotnet test Portable.sln -c Release"));
        Assert.That(File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, ".ci", "run")), Does.Contain("dotnet test Portable.sln -c Release"));
    }

    [Test]
    public void TheMapNamesEveryProject()
    {
        string map = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", "architecture.md"));
        foreach (string project in Directory.EnumerateFiles(Fixtures.RepositoryRoot, "*.csproj", SearchOption.AllDirectories))
        {
            string folder = Path.GetRelativePath(Fixtures.RepositoryRoot, Path.GetDirectoryName(project)!);
            Assert.That(map, Does.Contain(folder.Replace('\\', '/')), folder);
        }
    }
}
