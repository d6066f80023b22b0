using System.Text.Json;

namespace Portable.Checkpoints.Tests;

/// <summary>Safetensors files and shard indexes, valid and hostile: content exactly as stated, or one typed error within limits.</summary>
[Category("Golden")]
public class SafetensorsFilesTests
{
    private static string Folder => Fixtures.Find("quant", "safetensors_hostile")!;

    private static IEnumerable<TestCaseData> Cases(string index, Func<JsonProperty, TestCaseData> make)
    {
        if (Fixtures.Find("quant", "safetensors_hostile", index) is not { } path)
            return [Fixtures.Absent($"quant/safetensors_hostile/{index}")];
        using JsonDocument json = Fixtures.Json(path);
        return [.. json.RootElement.EnumerateObject().Select(make)];
    }

    private static IEnumerable<TestCaseData> ValidCases() => Cases("valid.json", static c =>
        new TestCaseData(c.Value.GetProperty("file").GetString(), c.Name).SetName($"The valid safetensors file {c.Name} is read as stated"));

    private static IEnumerable<TestCaseData> HostileCases() => Cases("hostile.json", static c =>
        new TestCaseData(c.Value.GetProperty("file").GetString(), c.Value.GetProperty("expect").GetString(), c.Value.GetProperty("kind").GetString())
            .SetName($"The hostile safetensors file {c.Name} ({c.Value.GetProperty("kind").GetString()}): {c.Value.GetProperty("expect").GetString()}, within limits"));

    private static IEnumerable<TestCaseData> IndexCases() => Cases("hostile-index.json", static c =>
        new TestCaseData(c.Value.GetProperty("folder").GetString(), c.Value.GetProperty("expect").GetString())
            .SetName($"The sharded folder {c.Name} ({c.Value.GetProperty("kind").GetString()}): {c.Value.GetProperty("expect").GetString()}, within limits"));

    [TestCaseSource(nameof(ValidCases))]
    public void A_valid_file_is_read_as_stated(string file, string name)
    {
        using JsonDocument json = Fixtures.Json(Path.Combine(Folder, "valid.json"));
        JsonElement expected = json.RootElement.GetProperty(name);
        string path = Path.Combine(Folder, file);
        Assert.That(CheckpointReading.OpenWithinLimits(path, new FileInfo(path).Length), Is.Null);

        using SafetensorsFile found = SafetensorsFile.Open(path);
        Assert.That(found.Metadata, Is.EquivalentTo(expected.GetProperty("metadata").EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetString()!)));
        JsonElement tensors = expected.GetProperty("tensors");
        Assert.That(found.Tensors.Select(static t => t.Name), Is.EquivalentTo(tensors.EnumerateObject().Select(static t => t.Name)));
        foreach (CheckpointTensor tensor in found.Tensors)
        {
            JsonElement stated = tensors.GetProperty(tensor.Name);
            Assert.That(tensor.Type, Is.EqualTo(stated.GetProperty("dtype").GetString()), tensor.Name);
            Assert.That(tensor.Shape, Is.EqualTo(stated.GetProperty("shape").EnumerateArray().Select(static d => d.GetInt64())), tensor.Name);
            Assert.That(tensor.Bytes, Is.EqualTo(stated.GetProperty("bytes").GetInt64()), tensor.Name);
            Assert.That(CheckpointReading.Hash(tensor), Is.EqualTo(stated.GetProperty("sha256").GetString()), tensor.Name);
        }
    }

    [TestCaseSource(nameof(HostileCases))]
    public void A_hostile_file_gets_one_typed_error_or_is_readable(string file, string expect, string kind)
    {
        string path = Path.Combine(Folder, file);
        PortableException? error = CheckpointReading.OpenWithinLimits(path, new FileInfo(path).Length);
        TestContext.Out.WriteLine(error?.Message ?? "accepted");
        if (expect == "reject")
            Assert.That(error, Is.Not.Null, "the file was accepted");
        if (error is null)
            return;
        Assert.That(error.Message, Does.Contain(Path.GetFileName(file)));
        if (kind is "truncated" or "duplicate")
            Assert.That(error.Message, Does.Contain(kind == "duplicate" ? "twice" : "truncated"));
    }

    [TestCaseSource(nameof(IndexCases))]
    public void A_shard_index_names_plain_files_beside_it_and_nothing_else_is_opened(string folder, string expect)
    {
        string path = Path.Combine(Folder, folder);
        PortableException? error = CheckpointReading.OpenWithinLimits(path, new DirectoryInfo(path).EnumerateFiles().Sum(static f => f.Length));
        TestContext.Out.WriteLine(error?.Message ?? "accepted");
        if (expect == "accept")
            Assert.That(error, Is.Null);
        if (expect == "reject")
            Assert.That(error, Is.InstanceOf<InvalidModelException>().With.Message.Contains(path));
    }
}
