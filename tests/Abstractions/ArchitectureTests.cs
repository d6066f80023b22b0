using System.Xml.Linq;

namespace Portable.Tests;

/// <summary>References point only downward: a pipeline names no vendor, a backend no model, and nobody names the tests.</summary>
[TestFixture]
public sealed class ArchitectureTests
{
    // What each project may reference, directly or through others. A new project is added here, below what it stands on.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Abstractions"] = [],
        ["Backends.Cpu"] = ["Abstractions"],
        ["Checkpoints"] = ["Abstractions"],
        ["Decoding"] = ["Abstractions", "Checkpoints"],
        ["Quantization"] = ["Abstractions", "Checkpoints"],
        ["Vision"] = ["Abstractions", "Checkpoints", "Decoding"],
        ["Vision.ImageSharp"] = ["Abstractions", "Checkpoints", "Decoding", "Vision"],
    };

    // "Ascend" is a verb too, and instruction sets are no vendors: the names of the vendors' libraries tell as well.
    private static readonly string[] Vendors = ["cuda", "rocm", "hip", "nvidia", "amd", "cann", "aclnn", "npu", "hygon", "directml"];
    private static readonly string[] Models = ["qwen", "llama", "mistral", "gemma", "smollm", "internvl", "gguf", "awq", "gptq", "safetensors"];

    private static IEnumerable<string> Libraries => Allowed.Keys;

    [Test]
    public void EveryLibraryOfTheRepositoryIsInTheTable()
    {
        string[] applications = ["Cli", "training"];
        string[] found = [.. Directory.EnumerateDirectories(Fixtures.RepositoryRoot)
            .Where(d => Directory.EnumerateFiles(d, "*.csproj").Any()).Select(d => Path.GetFileName(d)!)
            .Except(applications).Except(["benchmarks"])];
        Assert.That(found, Is.EquivalentTo(Libraries));
    }

    [TestCaseSource(nameof(Libraries))]
    public void ReferencesPointOnlyDownward(string library)
    {
        var seen = new HashSet<string>();
        Collect(library, seen);
        Assert.That(seen, Is.SubsetOf(Allowed[library]));
    }

    [Test]
    public void TheContractNamesNoVendorAndNoModel() =>
        Assert.That(Offences("Abstractions", [.. Vendors, .. Models]), Is.Empty);

    [Test]
    public void ABackendNamesNoModel() => Assert.That(Offences("Backends.Cpu", Models), Is.Empty);

    [TestCase("Decoding")]
    [TestCase("Vision")]
    [TestCase("Checkpoints")]
    public void APipelineNamesNoVendor(string library) => Assert.That(Offences(library, Vendors), Is.Empty);

    private static void Collect(string library, HashSet<string> seen)
    {
        XDocument project = XDocument.Load(Path.Combine(Fixtures.RepositoryRoot, library, $"{library}.csproj"));
        foreach (string reference in project.Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)))
        {
            if (seen.Add(reference))
                Collect(reference, seen);
        }
    }

    /// <summary>Identifiers in the code of a library, comments left out, that contain one of the words.</summary>
    private static List<string> Offences(string library, IEnumerable<string> words)
    {
        string[] forbidden = [.. words];
        var offences = new List<string>();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Fixtures.RepositoryRoot, library), "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
                continue;
            int number = 0;
            foreach (string line in File.ReadLines(file))
            {
                number++;
                int comment = line.IndexOf("//", StringComparison.Ordinal);
                string code = comment < 0 ? line : line[..comment];
                foreach (string token in Words(code))
                {
                    if (forbidden.Contains(token))
                        offences.Add($"{Path.GetRelativePath(Fixtures.RepositoryRoot, file)}:{number}: {token}");
                }
            }
        }

        return offences;
    }

    /// <summary>The words of identifiers, lower case: "GgufMetadata" gives "gguf" and "metadata".</summary>
    private static IEnumerable<string> Words(string code)
    {
        int start = 0;
        for (int i = 0; i <= code.Length; i++)
        {
            bool isLetter = i < code.Length && char.IsAsciiLetter(code[i]);
            bool isBorder = !isLetter || (i > start && char.IsAsciiLetterUpper(code[i]) && char.IsAsciiLetterLower(code[i - 1]));
            if (!isBorder)
                continue;
            if (i > start)
                yield return code[start..i].ToLowerInvariant();
            start = isLetter ? i : i + 1;
        }
    }
}
