using System.Text;
using System.Text.Json;

namespace Portable.Checkpoints.Tests;

/// <summary>Quantised layouts of safetensors: exact weights, right products, whole checkpoints, broken tensors.</summary>
[Category("Golden")]
public class QuantizedLayoutTests
{
    // Float32 sums of products of exact weights, relative to the sum of magnitudes; see the fixture's own bound.
    private const double ProductBound = 1e-6;

    private static IEnumerable<TestCaseData> MatrixCases(string name)
    {
        if (Fixtures.Find("quant", "matrices", "matrices.json") is not { } index)
            return [Fixtures.Absent("quant/matrices")];
        using JsonDocument json = Fixtures.Json(index);
        return
        [
            .. json.RootElement.EnumerateObject().Select(c =>
            {
                string file = Path.Combine(Path.GetDirectoryName(index)!, c.Value.GetProperty("file").GetString()!);
                string? config = Config(c.Value.GetProperty("case"));
                TestCaseData test = new TestCaseData(file, config).SetName(string.Format(System.Globalization.CultureInfo.InvariantCulture, name, c.Name));
                return config is not null ? test : test.Ignore($"not supported yet: quantised layout {c.Name}");
            }),
        ];
    }

    private static IEnumerable<TestCaseData> ExactCases() => MatrixCases("The packed matrix {0} is read exactly");

    private static IEnumerable<TestCaseData> MutatedCases() => MatrixCases("Mutations of the packed matrix {0} are read, or refused by a typed error");

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
                .SetName($"Every quantised module of the checkpoint {c.Name} is read")),
        ];
    }

    [TestCaseSource(nameof(ExactCases))]
    public void A_packed_matrix_is_read_exactly(string file, string config)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", config);
        File.Copy(file, Path.Combine(folder.Path, "model.safetensors"));
        var golden = new GoldenTensors(file);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        float[] weights = golden.Floats("golden.weight"), x = golden.Floats("golden.x"), y = golden.Floats("golden.y");
        if (checkpoint.Tensors.FirstOrDefault(static t => t.Name.EndsWith("_blocks", StringComparison.Ordinal)) is not { } blocks)
        {
            using WeightMatrix matrix = checkpoint.ReadMatrix("");
            AssertMatrix(checkpoint.Describe(""), matrix, weights, x, y);
            return;
        }

        string module = blocks.Name[..^"_blocks".Length];
        int experts = (int)blocks.Shape[0];
        for (int expert = 0; expert < experts; expert++)
        {
            using WeightMatrix matrix = checkpoint.ReadMatrix(module, expert);
            AssertMatrix(
                checkpoint.Describe(module, expert), matrix,
                Part(weights, expert, experts), x.Length == matrix.Columns * (y.Length / experts / matrix.Rows) ? x : Part(x, expert, experts), Part(y, expert, experts));
        }

        Assert.That(() => checkpoint.ReadMatrix(module, experts), Throws.InstanceOf<InvalidModelException>().With.Message.Contains($"expert {experts}"));
    }

    [TestCaseSource(nameof(CheckpointCases))]
    public void Every_quantised_module_of_a_checkpoint_is_read(string folder, int modules)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        string[] names =
        [
            .. checkpoint.Tensors.SelectMany(static t => t.Name.Select((c, i) => c == '.' ? t.Name[..i] : ""))
                .Distinct(StringComparer.Ordinal).Where(name => name.Length > 0 && QuantizedLayouts.FindMarker(checkpoint, name) is not null),
        ];
        Assert.That(names, Has.Length.EqualTo(modules));
        long parameters = 0;
        foreach (string name in names)
        {
            MatrixInfo info = checkpoint.Describe(name);
            using WeightMatrix matrix = checkpoint.ReadMatrix(name);
            Assert.That(matrix.Format.IsPlain, Is.False, name);
            AssertDescribed(info, matrix, name);
            parameters += (long)matrix.Rows * matrix.Columns;
        }

        long plain = checkpoint.Tensors.Where(static t => t.Name.EndsWith("norm.weight", StringComparison.Ordinal)
            || t.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)).Sum(static t => t.Elements);
        Assert.That(checkpoint.Summarize().Parameters, Is.GreaterThanOrEqualTo(parameters + plain), "parameters of the summary");
        Assert.That(checkpoint.Summarize().Parameters, Is.LessThan(2 * (parameters + plain)), "scales and zero points are no parameters");
        CheckpointReading.ReadAll(checkpoint);
    }

    [TestCaseSource(nameof(MutatedCases))]
    public void Mutations_are_read_or_refused_by_a_typed_error(string file, string config)
    {
        byte[] original = File.ReadAllBytes(file);
        int header = 8 + (int)BitConverter.ToInt64(original);
        int[] digits = [.. Enumerable.Range(8, header - 8).Where(i => char.IsAsciiDigit((char)original[i]))];
        int[] configDigits = [.. Enumerable.Range(0, config.Length).Where(i => char.IsAsciiDigit(config[i]))];
        var random = new Random(20257);
        int opened = 0;
        for (int round = 0; round < 40; round++)
        {
            byte[] bytes = [.. original];
            byte[] settings = Encoding.UTF8.GetBytes(config);
            switch (round % 4)
            {
                // A shape, or where data lies.
                case 0: bytes[digits[random.Next(digits.Length)]] = (byte)('0' + random.Next(10)); break;
                // A name, a type, the structure.
                case 1: bytes[8 + random.Next(header - 8)] = (byte)random.Next(32, 127); break;
                // Shapes of words, group indices, JSON texts.
                case 2:
                    for (int i = 0; i < 200; i++)
                        bytes[header + random.Next(bytes.Length - header)] = (byte)random.Next(256);
                    break;
                default: settings[configDigits[random.Next(configDigits.Length)]] = (byte)('0' + random.Next(10)); break;
            }

            using var folder = new TemporaryFolder();
            File.WriteAllBytes(Path.Combine(folder.Path, "config.json"), settings);
            File.WriteAllBytes(Path.Combine(folder.Path, "model.safetensors"), bytes);
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
                opened++;
                CheckpointReading.ReadAll(checkpoint);
            }
            catch (PortableException)
            {
            }
        }

        Assert.That(opened, Is.GreaterThan(12), "mutations that reach the layouts");
    }

    /// <summary>The quantization_config that goes with a case; null for a family that is not known.</summary>
    private static string? Config(JsonElement parameters)
    {
        string Text(string field, string otherwise) => parameters.TryGetProperty(field, out JsonElement value) ? value.GetString()! : otherwise;
        string Raw(string field, string otherwise) => parameters.TryGetProperty(field, out JsonElement value) ? value.GetRawText() : otherwise;
        string? config = Text("family", "") switch
        {
            "awq" => $$""" "quant_method": "awq", "bits": 4, "version": "{{Text("version", "gemm")}}", "group_size": {{Raw("group", "-1")}} """,
            "gptq" => $$""" "quant_method": "gptq", "checkpoint_format": "{{Text("format", "gptq")}}", "bits": {{Raw("bits", "4")}}, "group_size": {{Raw("group", "-1")}} """,
            "ct" or "ct-gidx" => $$""" "quant_method": "compressed-tensors", "format": "{{Text("format", "pack-quantized")}}", "config_groups": { "group_0": { "weights": {"""
                + $$""" "num_bits": {{Raw("bits", "4")}}, "group_size": {{Raw("group", "null")}}, "block_structure": {{Raw("block", "null")}} } } } """,
            "fp8-block" => """ "quant_method": "fp8", "weight_block_size": [128, 128] """,
            "gpt-oss" => """ "quant_method": "mxfp4", "bits": 4 """,
            "bnb" => $$""" "quant_method": "bitsandbytes", "bnb_4bit_quant_type": "{{Text("qtype", "nf4")}}" """,
            _ => null,
        };
        return config is null ? null : "{\"quantization_config\": {" + config + "}}";
    }

    private static float[] Part(float[] values, int part, int parts) => values[(values.Length / parts * part)..(values.Length / parts * (part + 1))];

    private static void AssertDescribed(MatrixInfo info, WeightMatrix matrix, string name) => Assert.That(
        (info.Rows, info.Columns, info.Format, info.HasGroupIndex, info.TensorName),
        Is.EqualTo((matrix.Rows, matrix.Columns, matrix.Format, !matrix.GroupIndex.IsEmpty, matrix.Name)), name);

    private static void AssertMatrix(MatrixInfo info, WeightMatrix matrix, float[] golden, float[] x, float[] y)
    {
        AssertDescribed(info, matrix, info.Module);
        float[] weights = CheckpointReading.Dequantize(matrix);
        CheckpointReading.AssertExact(weights, golden);
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
}
