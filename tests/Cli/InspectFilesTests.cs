using System.Text.Json;

namespace Portable.Cli.Tests;

/// <summary>`portable inspect` of every GGUF and safetensors fixture: valid files are described, hostile ones get one line.</summary>
[Category("Golden")]
public class InspectFilesTests
{
    private static IEnumerable<TestCaseData> Cases(string[] folder, string index, string what, Func<JsonElement, string> path)
    {
        if (Fixtures.Find([.. folder, index]) is not { } file)
            return [Fixtures.Absent($"{string.Join('/', folder)}/{index}")];
        using JsonDocument json = Fixtures.Json(file);
        return [.. json.RootElement.EnumerateObject().Select(c => new TestCaseData(
                Path.Combine(Path.GetDirectoryName(file)!, path(c.Value)), Text(c.Value, "expect") ?? "accept", Text(c.Value, "expected"))
            .SetName($"inspect, {what} {c.Name}: {Text(c.Value, "expect") ?? "accept"}"))];
    }

    private static string? Text(JsonElement value, string name) => value.TryGetProperty(name, out JsonElement found) ? found.GetString() : null;

    private static string FileOf(JsonElement c) => Text(c, "file") ?? Path.Combine(Text(c, "folder")!, Text(c, "open") ?? "");

    private static IEnumerable<TestCaseData> AllCases() =>
    [
        .. Cases(["gguf", "files"], "valid.json", "the valid GGUF file", FileOf),
        .. Cases(["gguf", "files"], "hostile.json", "the hostile GGUF", FileOf),
        .. Cases(["quant", "safetensors_hostile"], "valid.json", "the valid safetensors file", FileOf),
        .. Cases(["quant", "safetensors_hostile"], "hostile.json", "the hostile safetensors file", FileOf),
        .. Cases(["quant", "safetensors_hostile"], "hostile-index.json", "the sharded folder", FileOf),
    ];

    private static IEnumerable<TestCaseData> ChildCases()
    {
        foreach (IGrouping<string, TestCaseData> kind in AllCases().GroupBy(static c => c.TestName!.Split(':')[^1] + Path.GetExtension(c.Arguments[0] as string)))
        {
            TestCaseData first = kind.First();
            if (first.Arguments[0] is string path)
                yield return new TestCaseData(first.Arguments).SetName($"as a child process: {first.TestName} ({Path.GetFileName(Path.TrimEndingDirectorySeparator(path))})");
        }
    }

    [TestCaseSource(nameof(AllCases))]
    public void Inspect_describes_sound_files_and_refuses_others_in_one_line(string path, string expect, string? expected) =>
        Check(CliRun.InProcess("inspect", path, "--json", "--tensors"), path, expect, expected);

    [TestCaseSource(nameof(ChildCases))]
    public void The_real_program_does_the_same(string path, string expect, string? expected) =>
        Check(CliRun.Child("inspect", path, "--json", "--tensors"), path, expect, expected);

    private static void Check(CliResult result, string path, string expect, string? expected)
    {
        if (expect == "reject" || (expect == "either" && result.ExitCode != 0))
        {
            string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
            result.FailedWith(1);
            Assert.That(result.Error, Does.Contain(name).Or.Contain(Path.GetDirectoryName(path)!), "the line names the file");
            Assert.That(result.Output, Is.Empty);
            return;
        }

        result.Succeeded();
        using JsonDocument report = JsonDocument.Parse(result.Output);
        int tensors = report.RootElement.GetProperty("tensorCount").GetInt32();
        Assert.That(report.RootElement.GetProperty("tensors").GetArrayLength(), Is.EqualTo(tensors));
        Assert.That(report.RootElement.GetProperty("files").GetArrayLength(), tensors == 0 ? Is.Zero : Is.GreaterThan(0));
        if (expected is null || Path.GetFileName(path).Contains("-of-", StringComparison.Ordinal))
            return;
        using JsonDocument stated = Fixtures.Json(Path.Combine(Path.GetDirectoryName(path)!, "..", expected));
        Assert.That(tensors, Is.EqualTo(stated.RootElement.GetProperty("tensors").GetArrayLength()));
    }
}
