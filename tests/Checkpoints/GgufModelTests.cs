using System.Security.Cryptography;
using System.Text.Json;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Portable.Checkpoints.Tests;

/// <summary>Whole GGUF models: dequantised tensors of a real one, and twins of Hugging Face folders.</summary>
[Category("Golden")]
public partial class GgufModelTests
{
    private static IEnumerable<TestCaseData> RealCases()
    {
        string[] goldens = Fixtures.Find("models") is { } folder ? Directory.GetFiles(folder, "*-golden.json") : [];
        return goldens.Length == 0 ? [Fixtures.Absent("models")]
            : goldens.Select(static g => new TestCaseData(g).SetName($"Every tensor of the model of {Path.GetFileName(g)} dequantises to the golden hash"));
    }

    private static IEnumerable<TestCaseData> TwinCases()
    {
        if (Fixtures.Find("checkpoints") is not { } folder)
            return [Fixtures.Absent("checkpoints")];
        return
        [
            .. Directory.GetDirectories(folder).Order().Where(static f => File.Exists(Path.Combine(f, "golden.json"))).Select(static f =>
                new TestCaseData(f).SetName($"The GGUF twin of {Path.GetFileName(f)} holds the same weights")),
        ];
    }

    [TestCaseSource(nameof(RealCases))]
    public void Every_tensor_dequantises_to_the_golden_hash(string goldenFile)
    {
        using JsonDocument golden = Fixtures.Json(goldenFile);
        string model = Path.Combine(Path.GetDirectoryName(goldenFile)!, golden.RootElement.GetProperty("model_file").GetString()!);
        using Checkpoint checkpoint = Checkpoint.Open(model);
        JsonElement tensors = golden.RootElement.GetProperty("tensors");
        Assert.That(checkpoint.Tensors, Has.Count.EqualTo(tensors.GetArrayLength()));
        foreach (JsonElement tensor in tensors.EnumerateArray())
        {
            string name = tensor.GetProperty("name").GetString()!;
            Assert.That(checkpoint.TryGetTensor(name, out CheckpointTensor? found), name);
            Assert.That(found!.Type, Is.EqualTo(tensor.GetProperty("type").GetString()), name);
            Assert.That(found.Shape, Is.EqualTo(tensor.GetProperty("shape").EnumerateArray().Select(static d => d.GetInt64())), name);
            Assert.That(Hash(checkpoint, found), Is.EqualTo(tensor.GetProperty("sha256_f32_le").GetString()), name);
        }
    }

    [TestCaseSource(nameof(TwinCases))]
    public void A_GGUF_twin_holds_the_same_weights(string folder)
    {
        using JsonDocument golden = Fixtures.Json(Path.Combine(folder, "golden.json"));
        if (!golden.RootElement.TryGetProperty("gguf", out JsonElement gguf) || !gguf.TryGetProperty("file", out JsonElement file) || file.ValueKind == JsonValueKind.Null)
        {
            Assert.Ignore("this checkpoint has no GGUF twin");
            return;
        }

        using Checkpoint source = Checkpoint.Open(folder), twin = Checkpoint.Open(Path.Combine(folder, file.GetString()!));
        string architecture = twin.Summarize().Architecture!;
        if (architecture is not ("llama" or "qwen2" or "qwen3" or "mistral"))
            Assert.Ignore($"this test knows no tensor names of architecture {architecture}; its logits are compared in Decoding.Tests");
        if (twin.Tensors.FirstOrDefault(static t => t.Name != "rope_freqs.weight" && SourceName(t.Name) is null) is { } unknown)
            Assert.Ignore($"this test knows no tensor like {unknown.Name} of {Path.GetFileName(folder)}; its logits are compared in Decoding.Tests");

        int heads = twin.Metadata!.GetInt32($"{architecture}.attention.head_count");
        int keyHeads = twin.Metadata.GetInt32($"{architecture}.attention.head_count_kv");
        foreach (CheckpointTensor tensor in twin.Tensors.Where(static t => t.Name != "rope_freqs.weight"))
        {
            string name = SourceName(tensor.Name)!;
            float[] expected = Values(source, name), found = Values(twin, tensor.Name);
            bool isPermuted = architecture is "llama" && QueryOrKey().IsMatch(tensor.Name);
            if (isPermuted)
                found = HalvesOrder(found, tensor.Name.Contains("attn_q", StringComparison.Ordinal) ? heads : keyHeads, (int)tensor.Shape[0]);
            try
            {
                CheckpointReading.AssertExact(found, expected);
            }
            catch (AssertionException e)
            {
                throw new AssertionException($"{tensor.Name} and {name}: {e.Message}", e);
            }
        }
    }

    private static string Hash(Checkpoint checkpoint, CheckpointTensor tensor)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (tensor.Shape.Count < 2)
        {
            hash.AppendData(MemoryMarshal.AsBytes<float>(checkpoint.ReadVector(tensor.Name, (int)tensor.Elements)));
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }

        using WeightMatrix matrix = checkpoint.ReadMatrix(tensor.Name[..^".weight".Length]);
        float[] row = new float[matrix.Columns];
        for (int i = 0; i < matrix.Rows; i++)
        {
            matrix.DequantizeRow(i, row);
            hash.AppendData(MemoryMarshal.AsBytes<float>(row));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static float[] Values(Checkpoint checkpoint, string name)
    {
        Assert.That(checkpoint.TryGetTensor(name, out CheckpointTensor? tensor), name);
        if (tensor!.Shape.Count < 2)
            return checkpoint.ReadVector(name, (int)tensor.Elements);
        using WeightMatrix matrix = checkpoint.ReadMatrix(name[..^".weight".Length]);
        return CheckpointReading.Dequantize(matrix);
    }

    /// <summary>GGUF row 2i of a head is row i of the first half, row 2i + 1 that of the second.</summary>
    private static float[] HalvesOrder(float[] values, int heads, int rows)
    {
        int width = values.Length / rows, size = rows / heads;
        float[] ordered = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            int head = row / size, inHead = row % size;
            int source = (head * size) + (inHead < size / 2 ? 2 * inHead : (2 * (inHead - (size / 2))) + 1);
            values.AsSpan(source * width, width).CopyTo(ordered.AsSpan(row * width));
        }

        return ordered;
    }

    private static string? SourceName(string name)
    {
        Match block = Block().Match(name);
        string part = block.Success ? block.Groups[2].Value : name[..name.LastIndexOf('.')];
        string end = name[(name.LastIndexOf('.') + 1)..];
        string? target = part switch
        {
            "token_embd" => "model.embed_tokens",
            "output_norm" => "model.norm",
            "output" => "lm_head",
            "attn_norm" => "input_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            "attn_q" or "attn_k" or "attn_v" => $"self_attn.{part[^1]}_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" or "attn_k_norm" => $"self_attn.{part[5]}_norm",
            "ffn_gate" or "ffn_up" or "ffn_down" => $"mlp.{part[4..]}_proj",
            _ => null,
        };
        return target is null ? null : block.Success ? $"model.layers.{block.Groups[1].Value}.{target}.{end}" : $"{target}.{end}";
    }

    [GeneratedRegex(@"^blk\.(\d+)\.(.+)\.(weight|bias)$")]
    private static partial Regex Block();

    [GeneratedRegex(@"\.attn_[qk]\.(weight|bias)$")]
    private static partial Regex QueryOrKey();
}
