using System.Globalization;
using System.Text.Json;

namespace Portable.Checkpoints.Tests;

/// <summary>GGUF files, valid, hostile and cut: content exactly as stated, or one typed error within limits.</summary>
[Category("Golden")]
public class GgufFilesTests
{
    private static string Folder => Fixtures.Find("gguf", "files")!;

    private static IEnumerable<TestCaseData> Cases(string index, Func<JsonProperty, TestCaseData> make)
    {
        if (Fixtures.Find("gguf", "files", index) is not { } path)
            return [Fixtures.Absent($"gguf/files/{index}")];
        using JsonDocument json = Fixtures.Json(path);
        return [.. json.RootElement.EnumerateObject().Select(make)];
    }

    private static IEnumerable<TestCaseData> ValidCases() => Cases("valid.json", static c =>
        new TestCaseData(c.Value.GetProperty("file").GetString(), c.Value.GetProperty("expected").GetString())
            .SetName($"The valid GGUF file {c.Name} is read as stated"));

    private static IEnumerable<TestCaseData> HostileCases() => Cases("hostile.json", static c =>
    {
        string expect = c.Value.GetProperty("expect").GetString()!, kind = c.Value.GetProperty("kind").GetString()!;
        bool isSet = c.Value.TryGetProperty("folder", out JsonElement folder);
        string file = isSet
            ? Path.Combine(folder.GetString()!, c.Value.GetProperty("open").GetString()!)
            : c.Value.GetProperty("file").GetString()!;
        return new TestCaseData(file, isSet, expect, kind).SetName($"The hostile GGUF {c.Name} ({kind}): {expect}, within limits");
    });

    private static IEnumerable<TestCaseData> TruncationCases() => Fixtures.Find("gguf", "files", "truncate.json") is null
        ? [Fixtures.Absent("gguf/files/truncate.json")]
        : [new TestCaseData("truncate.json").SetName("A GGUF file cut at any byte is refused as truncated")];

    private static IEnumerable<TestCaseData> SplitCases()
    {
        if (Fixtures.Find("gguf", "files", "valid.json") is not { } path)
            return [Fixtures.Absent("gguf/files/valid.json")];
        using JsonDocument json = Fixtures.Json(path);
        string[] parts = [.. json.RootElement.EnumerateObject().Select(static c => c.Value.GetProperty("file").GetString()!).Where(static f => f.Contains("-of-", StringComparison.Ordinal))];
        return [.. parts.Select(part => new TestCaseData(part).SetName($"The split model is whole when opened by {Path.GetFileName(part)}"))];
    }

    [TestCaseSource(nameof(ValidCases))]
    public void A_valid_file_is_read_as_stated(string file, string expectedFile)
    {
        using JsonDocument json = Fixtures.Json(Path.Combine(Folder, expectedFile));
        JsonElement expected = json.RootElement;
        using GgufFile found = GgufFile.Open(Path.Combine(Folder, file));
        Assert.That(found.Version, Is.EqualTo(expected.GetProperty("version").GetUInt32()));
        Assert.That(found.Alignment, Is.EqualTo(expected.GetProperty("alignment").GetUInt32()));
        JsonElement start = expected.GetProperty("data_start");
        Assert.That(found.DataStart, Is.EqualTo(start.ValueKind == JsonValueKind.Null ? null : start.GetInt64()));

        JsonElement metadata = expected.GetProperty("metadata");
        Assert.That(found.Metadata.Keys, Is.EqualTo(metadata.EnumerateArray().Select(static p => p.GetProperty("key").GetString())));
        foreach (JsonElement pair in metadata.EnumerateArray())
        {
            Assert.That(found.Metadata.TryGet(pair.GetProperty("key").GetString()!, out GgufValue value));
            AssertValue(value, pair.GetProperty("type").GetString()!, pair.GetProperty("value"));
        }

        JsonElement tensors = expected.GetProperty("tensors");
        Assert.That(found.Tensors, Has.Count.EqualTo(tensors.GetArrayLength()));
        foreach ((CheckpointTensor tensor, JsonElement stated) in found.Tensors.Zip(tensors.EnumerateArray()))
        {
            Assert.That(tensor.Name, Is.EqualTo(stated.GetProperty("name").GetString()));
            Assert.That(tensor.Shape, Is.EqualTo(stated.GetProperty("dims_file_order").EnumerateArray().Select(static d => d.GetInt64()).Reverse()), tensor.Name);
            Assert.That(tensor.Type, Is.EqualTo(GgufTensorType.Find(stated.GetProperty("type_id").GetUInt32())!.Name), tensor.Name);
            Assert.That(tensor.Position, Is.EqualTo(stated.GetProperty("file_position").GetInt64()), tensor.Name);
            Assert.That(tensor.Position - found.DataStart, Is.EqualTo(stated.GetProperty("offset").GetInt64()), tensor.Name);
            Assert.That(tensor.Bytes, Is.EqualTo(stated.GetProperty("bytes").GetInt64()), tensor.Name);
            Assert.That(CheckpointReading.Hash(tensor), Is.EqualTo(stated.GetProperty("sha256").GetString()), tensor.Name);
        }
    }

    [TestCaseSource(nameof(SplitCases))]
    public void A_split_model_is_the_union_of_its_parts_whichever_is_opened(string part)
    {
        string path = Path.Combine(Folder, part);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        using GgufFile alone = GgufFile.Open(path);
        Assert.That(checkpoint.Tensors, Has.Count.EqualTo(alone.Metadata.GetInt32("split.tensors.count")));
        Assert.That(checkpoint.Metadata!.GetInt32("split.no"), Is.Zero, "the metadata are those of the first part");
        Assert.That(checkpoint.Tensors.Select(static t => t.File).Distinct().Count(), Is.GreaterThan(1));
        CheckpointReading.ReadAll(checkpoint);
    }

    [Test]
    public void A_part_numbered_with_digits_of_another_script_is_no_part_by_its_name()
    {
        using var folder = new TemporaryFolder();
        byte[] part = new GgufBuilder().String("general.architecture", "llama").UInt16("split.count", 2).UInt16("split.no", 0).Build();
        string path = folder.Write("m-\u0660\u0660\u0660\u0660\u0661-of-\u0660\u0660\u0660\u0660\u0662.gguf", part);
        Assert.That(() => Checkpoint.Open(path), Throws.InstanceOf<InvalidModelException>().With.Message.Contains("split.count"));
    }

    [TestCaseSource(nameof(HostileCases))]
    public void A_hostile_file_gets_one_typed_error_or_is_readable(string file, bool isSet, string expect, string kind)
    {
        string path = Path.Combine(Folder, file);
        long bytes = isSet ? new DirectoryInfo(Path.GetDirectoryName(path)!).EnumerateFiles().Sum(static f => f.Length) : new FileInfo(path).Length;
        PortableException? error = CheckpointReading.OpenWithinLimits(path, bytes);
        TestContext.Out.WriteLine(error?.Message ?? "accepted");
        if (expect == "reject")
            Assert.That(error, Is.Not.Null, "the file was accepted");
        if (error is null)
            return;
        Assert.That(error.Message, Does.Contain(isSet ? Path.GetDirectoryName(path)! : Path.GetFileName(file)).Or.Contain(Path.GetFileName(file)));
        string? word = kind switch { "truncated" => "truncated", "big-endian" => "big-endian", "missing-file" => "missing", "duplicate" => "twice", _ => null };
        if (word is not null)
            Assert.That(error.Message, Does.Contain(word));
    }

    [TestCaseSource(nameof(TruncationCases))]
    public void Every_prefix_is_refused_as_truncated(string index)
    {
        using JsonDocument json = Fixtures.Json(Path.Combine(Folder, index));
        byte[] whole = File.ReadAllBytes(Path.Combine(Folder, json.RootElement.GetProperty("file").GetString()!));
        Assert.That(whole, Has.Length.EqualTo(json.RootElement.GetProperty("bytes").GetInt32()));
        using var folder = new TemporaryFolder();
        Assert.That(CheckpointReading.OpenWithinLimits(folder.Write("whole.gguf", whole), whole.Length), Is.Null);
        for (int length = 0; length < whole.Length; length++)
        {
            PortableException? error = CheckpointReading.OpenWithinLimits(folder.Write("cut.gguf", whole[..length]), length);
            Assert.That(error, Is.InstanceOf<InvalidModelException>().With.Message.Contains("truncated").And.Message.Contains("cut.gguf"), $"{length} bytes");
        }
    }

    private static void AssertValue(GgufValue value, string type, JsonElement expected)
    {
        Assert.That(TypeName(value.Type), Is.EqualTo(type));
        switch (value.Type)
        {
            case GgufValueType.Array:
                string element = expected.GetProperty("element").GetString()!;
                Assert.That(TypeName(value.ElementType), Is.EqualTo(element));
                GgufValue[] items = [.. value.Items];
                Assert.That(items, Has.Length.EqualTo(expected.GetProperty("items").GetArrayLength()));
                foreach ((GgufValue item, JsonElement stated) in items.Zip(expected.GetProperty("items").EnumerateArray()))
                    AssertValue(item, element, stated);
                break;
            case GgufValueType.String:
                Assert.That(value.Text(), Is.EqualTo(expected.GetString()));
                break;
            case GgufValueType.Boolean:
                Assert.That(value.Bytes.Span[0] != 0, Is.EqualTo(expected.GetBoolean()));
                break;
            case GgufValueType.Float32 or GgufValueType.Float64:
                ulong bits = ulong.Parse(expected.GetProperty("bits").GetString()!.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                Assert.That(value.Type == GgufValueType.Float32 ? BitConverter.ToUInt32(value.Bytes.Span) : BitConverter.ToUInt64(value.Bytes.Span), Is.EqualTo(bits));
                break;
            default:
                string number = expected.ValueKind == JsonValueKind.String ? expected.GetString()! : expected.GetRawText();
                Assert.That(value.Integer(), Is.EqualTo(Int128.Parse(number, CultureInfo.InvariantCulture)));
                break;
        }
    }

    private static string TypeName(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 => "u8",
        GgufValueType.Int8 => "i8",
        GgufValueType.UInt16 => "u16",
        GgufValueType.Int16 => "i16",
        GgufValueType.UInt32 => "u32",
        GgufValueType.Int32 => "i32",
        GgufValueType.UInt64 => "u64",
        GgufValueType.Int64 => "i64",
        GgufValueType.Float32 => "f32",
        GgufValueType.Float64 => "f64",
        GgufValueType.Boolean => "bool",
        GgufValueType.String => "string",
        _ => "array",
    };
}
