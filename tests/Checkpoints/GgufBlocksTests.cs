using System.Text.Json;

namespace Portable.Checkpoints.Tests;

/// <summary>Every GGUF tensor type: the canonical matrix evaluates to exactly the values that the reference gives.</summary>
[Category("Golden")]
public class GgufBlocksTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("gguf", "blocks", "blocks.json") is not { } index)
            return [Fixtures.Absent("gguf/blocks")];
        using JsonDocument json = Fixtures.Json(index);
        return [.. json.RootElement.EnumerateObject().SelectMany(type => Parts(index, type))];
    }

    private static IEnumerable<TestCaseData> Parts(string index, JsonProperty type)
    {
        foreach (string part in new[] { "random", "real" })
        {
            if (!type.Value.TryGetProperty(part, out JsonElement sizes))
                continue;
            uint id = type.Value.GetProperty("type_id").GetUInt32();
            string file = Path.Combine(Path.GetDirectoryName(index)!, type.Value.GetProperty("file").GetString()!);
            TestCaseData test = new TestCaseData(file, part, id, sizes.GetProperty("rows").GetInt32(), sizes.GetProperty("k").GetInt32())
                .SetName($"A tensor of type {type.Name} ({part} blocks) becomes a canonical matrix without loss");
            GgufTensorType? known = GgufTensorType.Find(id);
            yield return known is null || (known.Blocks is null && PlainTensors.Encoding(known.Name) is null)
                ? test.Ignore($"not supported yet: GGUF type {type.Name}") : test;
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Blocks_become_canonical_without_loss(string file, string part, uint id, int rows, int columns)
    {
        var golden = new GoldenTensors(file);
        using var folder = new TemporaryFolder();
        string path = folder.Write("blocks.gguf", new GgufBuilder().Tensor("m.weight", id, golden.Bytes($"{part}.bytes").ToArray(), columns, rows).Build());
        using Checkpoint checkpoint = Checkpoint.Open(path);
        using WeightMatrix matrix = checkpoint.ReadMatrix("m");
        Assert.That((matrix.Rows, matrix.Columns), Is.EqualTo((rows, columns)));
        Assert.That(checkpoint.Describe("m"), Is.EqualTo(new MatrixInfo("m", rows, columns, matrix.Format, false, "m.weight")));
        CheckpointReading.AssertExact(CheckpointReading.Dequantize(matrix), golden.Floats($"{part}.f32"));
    }
}
