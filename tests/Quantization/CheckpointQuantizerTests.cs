using System.Text.Json;
using Portable.Checkpoints;
using Portable.Quantization;

namespace Portable.Tests;

/// <summary>A quantised folder is an ordinary checkpoint that reads back as exactly what was chosen.</summary>
[TestFixture]
public sealed class CheckpointQuantizerTests
{
    private const int GroupSize = 32;
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-quantize-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<string> Sources() =>
        Fixtures.Find("checkpoints") is { } folder
            ? Directory.EnumerateDirectories(folder).Where(static d => File.Exists(Path.Combine(d, "model.safetensors"))).Select(static d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)
            : [];

    [TestCaseSource(nameof(Sources)), Category("Golden")]
    public void WhatIsReadBackIsWhatTheQuantizerChose(string name)
    {
        string source = Path.Combine(Fixtures.Find("checkpoints")!, name), target = Path.Combine(_folder, "out");
        QuantizeSummary summary;
        try
        {
            summary = CheckpointQuantizer.Quantize(source, target, new QuantizeOptions { GroupSize = GroupSize, IncludesVision = true }, null, default);
        }
        catch (UnsupportedException error)
        {
            // Widths that no group divides, and models that are quantised already, are named as such.
            Assert.That(error.Message, Does.Contain("group size").Or.Contain("quantised already"));
            return;
        }

        using Checkpoint before = Checkpoint.Open(source), after = Checkpoint.Open(target);
        Assert.That(after.Quantization, Is.EqualTo(new QuantizationConfig("awq", "gemm", 4, GroupSize)).Using<QuantizationConfig>(static (a, b) => a.ToString() == b.ToString()));
        int matrices = 0;
        foreach (CheckpointTensor tensor in before.Tensors)
        {
            if (after.TryGetTensor(tensor.Name, out CheckpointTensor? kept))
            {
                using var a = new MemoryStream();
                using var b = new MemoryStream();
                before.CopyTo(tensor, a);
                after.CopyTo(kept, b);
                Assert.That(b.ToArray(), Is.EqualTo(a.ToArray()), tensor.Name);
                continue;
            }

            matrices++;
            string module = tensor.Name[..^".weight".Length];
            using WeightMatrix plain = before.ReadMatrix(module), packed = after.ReadMatrix(module);
            Assert.That((packed.Rows, packed.Columns, packed.Format.GroupSize), Is.EqualTo((plain.Rows, plain.Columns, GroupSize)), module);
            float[] row = new float[plain.Columns], back = new float[plain.Columns];
            byte[] codes = new byte[plain.Columns], zeros = new byte[plain.Columns / GroupSize];
            Half[] scales = new Half[zeros.Length];
            for (int r = 0; r < plain.Rows; r++)
            {
                plain.DequantizeRow(r, row);
                packed.DequantizeRow(r, back);
                new RoundToNearest().Quantize(row, GroupSize, codes, scales, zeros);
                for (int k = 0; k < row.Length; k++)
                    row[k] = (codes[k] - zeros[k / GroupSize]) * (float)scales[k / GroupSize];
                Assert.That(back, Is.EqualTo(row), $"{module}, row {r}");
            }
        }

        Assert.That(matrices, Is.EqualTo(summary.Matrices));
        Assert.That(after.TryReadFile("tokenizer.json", out _), Is.EqualTo(before.TryReadFile("tokenizer.json", out _)));
    }

    [Test]
    public void TheHeadTheEmbeddingsAndTheNormsStayAsTheyAre()
    {
        string source = MakeModel();
        CheckpointQuantizer.Quantize(source, Path.Combine(_folder, "out"), new QuantizeOptions { GroupSize = GroupSize }, null, default);
        using Checkpoint after = Checkpoint.Open(Path.Combine(_folder, "out"));
        Assert.That(after.Tensors.Select(static t => t.Name), Is.EquivalentTo(new[]
        {
            "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight", "model.layers.0.mlp.gate.weight", "visual.blocks.0.attn.qkv.weight",
            "model.layers.0.mlp.up_proj.qweight", "model.layers.0.mlp.up_proj.qzeros", "model.layers.0.mlp.up_proj.scales",
        }));
        JsonElement left = after.Config!.Value.GetProperty("quantization_config").GetProperty("modules_to_not_convert");
        Assert.That(left.EnumerateArray().Select(static e => e.GetString()), Is.EquivalentTo(new[] { "lm_head", "model.layers.0.mlp.gate", "visual" }));
        Assert.That(after.Config!.Value.GetProperty("model_type").GetString(), Is.EqualTo("llama"));
    }

    [Test]
    public void TokenizersAndTemplatesComeAlong()
    {
        string source = MakeModel(), target = Path.Combine(_folder, "out");
        string[] files =
        [
            "chat_template.jinja", "chat_template.json", "processor_config.json", "tokenizer_config.json", "tekken.json", "tokenizer.model", "tokenizer.model.v3",
            Path.Combine("additional_chat_templates", "tool_use.jinja"), Path.Combine("additional_chat_templates", "rag.jinja"),
        ];
        Directory.CreateDirectory(Path.Combine(source, "additional_chat_templates"));
        foreach (string file in files)
            File.WriteAllText(Path.Combine(source, file), file);
        File.WriteAllText(Path.Combine(source, "additional_chat_templates", "huge.bin"), "no template");
        CheckpointQuantizer.Quantize(source, target, new QuantizeOptions { GroupSize = GroupSize }, null, default);
        foreach (string file in files)
            Assert.That(File.ReadAllText(Path.Combine(target, file)), Is.EqualTo(file));
        Assert.That(Directory.EnumerateFiles(Path.Combine(target, "additional_chat_templates")).Count(), Is.EqualTo(2));
    }

    [Test]
    public void LargeModelsAreWrittenInShards()
    {
        string source = MakeModel();
        CheckpointQuantizer.Quantize(source, Path.Combine(_folder, "out"), new QuantizeOptions { GroupSize = GroupSize, ShardBytes = 5000 }, null, default);
        Assert.That(Directory.EnumerateFiles(Path.Combine(_folder, "out"), "model-*-of-*.safetensors").Count(), Is.GreaterThan(1));
        using Checkpoint after = Checkpoint.Open(Path.Combine(_folder, "out"));
        Assert.That(after.HasMatrix("model.layers.0.mlp.up_proj"));
    }

    [Test]
    public void WhatIsQuantisedAlreadyIsRefused()
    {
        string source = MakeModel(), once = Path.Combine(_folder, "once");
        CheckpointQuantizer.Quantize(source, once, new QuantizeOptions { GroupSize = GroupSize }, null, default);
        Assert.That(
            () => CheckpointQuantizer.Quantize(once, Path.Combine(_folder, "twice"), new QuantizeOptions { GroupSize = GroupSize }, null, default),
            Throws.InstanceOf<UnsupportedException>().With.Message.Contains("quantised already"));
        Assert.That(Directory.Exists(Path.Combine(_folder, "twice")), Is.False);
    }

    [Test]
    public void AnExistingFolderIsNeverWrittenInto()
    {
        string source = MakeModel(), target = Path.Combine(_folder, "mine");
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, "precious"), "");
        Assert.That(
            () => CheckpointQuantizer.Quantize(source, target, new QuantizeOptions { GroupSize = GroupSize }, null, default),
            Throws.InstanceOf<InvalidInputException>());
        Assert.That(Directory.EnumerateFiles(target).Count(), Is.EqualTo(1));
    }

    [Test]
    public void AFolderInTheWayOfThePartialOneIsLeftAlone()
    {
        string source = MakeModel(), target = Path.Combine(_folder, "out"), other = Path.Combine(target + ".partial", "precious");
        Directory.CreateDirectory(target + ".partial");
        File.WriteAllText(other, "");
        Assert.That(
            () => CheckpointQuantizer.Quantize(source, target, new QuantizeOptions { GroupSize = GroupSize }, null, default),
            Throws.InstanceOf<InvalidInputException>().With.Message.Contains("out.partial"));
        Assert.That(File.Exists(other));
    }

    [Test]
    public void AWeightThatIsNotANumberIsNamed()
    {
        string source = MakeModel(poison: true), target = Path.Combine(_folder, "out");
        Assert.That(
            () => CheckpointQuantizer.Quantize(source, target, new QuantizeOptions { GroupSize = GroupSize }, null, default),
            Throws.InstanceOf<InvalidModelException>().With.Message.Contains("up_proj").And.Message.Contains("not finite").And.Message.Contains("model.safetensors"));
        Assert.That(Directory.Exists(target) || Directory.Exists(target + ".partial"), Is.False, "nothing stays behind");
    }

    [Test]
    public void AnOddGroupSizeIsRefused() =>
        Assert.That(
            () => CheckpointQuantizer.Quantize(MakeModel(), Path.Combine(_folder, "out"), new QuantizeOptions { GroupSize = 48 }, null, default),
            Throws.InstanceOf<InvalidInputException>().With.Message.Contains("48"));

    private string MakeModel(bool poison = false)
    {
        string source = Path.Combine(_folder, "source");
        Directory.CreateDirectory(source);
        File.WriteAllText(Path.Combine(source, "config.json"), """{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}""");
        SafetensorsEntry Plain(string name, params long[] shape)
        {
            long count = shape.Aggregate(1L, static (a, b) => a * b);
            return new(name, "F32", shape, count * 4, stream =>
            {
                for (int i = 0; i < count; i++)
                    stream.Write(BitConverter.GetBytes(poison && i == 5 ? float.NaN : MathF.Sin(i)));
            });
        }

        SafetensorsWriter.WriteModel(
            source,
            [
                Plain("model.embed_tokens.weight", 16, 64), Plain("model.norm.weight", 64), Plain("lm_head.weight", 16, 64), Plain("model.layers.0.mlp.up_proj.weight", 24, 64),
                Plain("model.layers.0.mlp.gate.weight", 8, 64), Plain("visual.blocks.0.attn.qkv.weight", 24, 64),
            ],
            1L << 30, default);
        return source;
    }
}
