using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json;
using NUnit.Framework;

namespace Portable.Testing;

/// <summary>
/// Finds the golden files. The root is the folder named by <c>PORTABLE_FIXTURES</c>, else <c>../shared/fixtures</c>
/// beside the repository, else the small copies in <c>tests/fixtures</c>.
/// </summary>
public static class Fixtures
{
    private static readonly Lazy<string?> LazyRoot = new(FindRoot);

    /// <summary>The root of the golden files; null where there is none.</summary>
    public static string? Root => LazyRoot.Value;

    /// <summary>The folder that holds Portable.sln.</summary>
    public static string RepositoryRoot { get; } = FindRepository();

    /// <summary>The path of a file or folder under the root; null where the root or that path is absent.</summary>
    public static string? Find(params string[] parts)
    {
        if (Root is null)
            return null;
        string path = Path.Combine([Root, .. parts]);
        return File.Exists(path) || Directory.Exists(path) ? path : null;
    }

    /// <summary>The one case that stands in for a kind of fixture that is absent: it is skipped, and says so.</summary>
    public static TestCaseData Absent(string kind) => new TestCaseData(null)
        .SetName($"{kind} (absent)")
        .Ignore($"fixtures absent: no '{kind}' under {Root ?? "PORTABLE_FIXTURES or ../shared/fixtures"}");

    /// <summary>Reads a JSON file of the fixtures; <c>.gz</c> is unpacked.</summary>
    public static JsonDocument Json(string path) => JsonDocument.Parse(Bytes(path));

    /// <summary>Reads a file of the fixtures whole; <c>.gz</c> is unpacked, also when only PATH.gz exists.</summary>
    public static byte[] Bytes(string path)
    {
        if (!File.Exists(path) && File.Exists(path + ".gz"))
            path += ".gz";
        if (!path.EndsWith(".gz", StringComparison.Ordinal))
            return File.ReadAllBytes(path);
        using var packed = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        using var memory = new MemoryStream();
        packed.CopyTo(memory);
        return memory.ToArray();
    }

    private static string? FindRoot()
    {
        if (Environment.GetEnvironmentVariable("PORTABLE_FIXTURES") is { Length: > 0 } named)
            return Directory.Exists(named) ? Path.GetFullPath(named) : null;
        string shared = Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared", "fixtures"));
        if (Directory.Exists(shared))
            return shared;
        string own = Path.Combine(RepositoryRoot, "tests", "fixtures");
        return Directory.Exists(own) ? own : null;
    }

    private static string FindRepository([CallerFilePath] string thisFile = "")
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Portable.sln")))
                return folder;
        }

        return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
    }
}
