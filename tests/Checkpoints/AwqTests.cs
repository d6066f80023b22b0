using System.Text.Json;

namespace Portable.Checkpoints.Tests;

/// <summary>AutoAWQ's GEMM layout: exact weights, right products, whole checkpoints.</summary>
[Category("Golden")]
public class AwqTests
{
    // Float32 sums of products of exact weights, relative to the sum of magnitudes; see the fixture's own bound.
    private const double ProductBound = 1e-6;

    private static IEnumerable<TestCaseData> MatrixCases()
    {
        if (Fixtures.Find("quant", "matrices", "matrices.json") is not { } index)
            return [Fixtures.Absent("quant/matrices")];
        using JsonDocument json = Fixtures.Json(index);
        return
        [
            .. json.RootElement.EnumerateObject().Select(c =>
            {
                JsonElement parameters = c.Value.GetProperty("case");
                string family = parameters.GetProperty("family").GetString()!;
                string version = parameters.TryGetProperty("version", out JsonElement v) ? v.GetString()! : "gemm";
                int group = parameters.TryGetProperty("group", out JsonElement g) && g.ValueKind == JsonValueKind.Number ? g.GetInt32() : -1;
                TestCaseData test = new TestCaseData(Path.Combine(Path.GetDirectoryName(index)!, c.Value.GetProperty("file").GetString()!), group)
                    .SetName($"The packed matrix {c.Name} is read exactly");
                return family == "awq" && version == "gemm" ? test : test.Ignore($"not supported yet: quantised layout {c.Name}");
            }),
        ];
    }

    private static IEnumerable<TestCaseData> CheckpointCases()
    {
        if (Fixtures.Find("quant", "checkpoints", "checkpoints.json") is not { } index)
            return [Fixtures.Absent("quant/checkpoints")];
        using JsonDocument json = Fixtures.Json(index);
        return
        [
            .. json.RootElement.EnumerateObject().Select(c => new TestCaseData(
                Path.Combine(Path.GetDirectoryName(index)!, c.Value.TryGetProperty("folder", out JsonElement f) ? f.GetString()! : c.Name),
                c.Value.GetProperty("quantised_modules").GetInt32())
                .SetName($"Every quantised module of the checkpoint {c.Name} is read, or refused by name")),
        ];
    }

    [TestCaseSource(nameof(MatrixCases))]
    public void A_packed_matrix_is_read_exactly(string file, int group)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", $$"""{"quantization_config":{"quant_method":"awq","version":"gemm","bits":4,"group_size":{{group}} } }""");
        File.Copy(file, Path.Combine(folder.Path, "model.safetensors"));
        var golden = new GoldenTensors(file);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        using WeightMatrix matrix = checkpoint.ReadMatrix("");
        Assert.That(checkpoint.Describe(""), Is.EqualTo(new MatrixInfo("", matrix.Rows, matrix.Columns, matrix.Format, false, "qweight")));
        float[] weights = CheckpointReading.Dequantize(matrix), x = golden.Floats("golden.x"), y = golden.Floats("golden.y");
        CheckpointReading.AssertExact(weights, golden.Floats("golden.weight"));
        for (int i = 0; i < y.Length; i++)
        {
            int sample = i / matrix.Rows, row = i % matrix.Rows;
            float sum = 0;
            double magnitudes = 0;
            for (int k = 0; k < matrix.Columns; k++)
            {
                float product = x[(sample * matrix.Columns) + k] * weights[(row * matrix.Columns) + k];
                sum += product;
                magnitudes += Math.Abs((double)product);
            }

            Assert.That(Math.Abs((double)sum - y[i]), Is.LessThanOrEqualTo(ProductBound * magnitudes));
        }
    }

    [TestCaseSource(nameof(CheckpointCases))]
    public void Every_quantised_module_is_read_or_refused_by_name(string folder, int modules)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        QuantizationConfig config = checkpoint.Quantization!;
        string[] names = [.. checkpoint.Tensors.Where(static t => t.Name.EndsWith(".qweight", StringComparison.Ordinal)).Select(static t => t.Name[..^8])];
        if (config is not { Method: "awq", Version: "gemm" })
        {
            // The error must name the method, so that the user knows what the checkpoint needs.
            foreach (string name in names)
                Assert.That(() => checkpoint.ReadMatrix(name), Throws.InstanceOf<UnsupportedException>().With.Message.Contains(config.Method));
            Assert.Ignore($"not supported yet: quantisation {config}");
        }

        Assert.That(names, Has.Length.EqualTo(modules));
        foreach (string name in names)
        {
            using WeightMatrix matrix = checkpoint.ReadMatrix(name);
            Assert.That(matrix.Format, Is.EqualTo(new WeightFormat(WeightEncoding.UInt4, config.GroupSize!.Value, GroupOffset.ZeroPoint)));
        }

        CheckpointReading.ReadAll(checkpoint);
    }
}
