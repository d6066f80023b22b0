using System.Runtime.InteropServices;
using System.Text;
using Portable.Checkpoints;

namespace Portable.Benchmarks;

/// <summary>
/// GGUF files for measuring against engines that read nothing else: a real model's Q4_1 matrices as Q4_0, and random weights in the sizes of Qwen2.5. The
/// types of tensors are those that llama.cpp's quantiser gives them (src/llama-quant.cpp). The same arguments give the same bytes.
/// </summary>
internal static class GgufFiles
{
    private const int Alignment = 32;
    private const string Q4_0 = "Q4_0", Q4_K = "Q4_K", Q6_K = "Q6_K", F32 = "F32";

    private sealed record Entry(string Name, string Type, long[] Shape, Action<Stream> Write)
    {
        public GgufTensorType GgufType { get; } = GgufTensorType.Find(Type)!;

        public long Bytes => Shape.Aggregate(1L, static (a, b) => a * b) / GgufType.BlockValues * GgufType.BlockBytes;
    }

    /// <summary>Writes a model again with its Q4_1 matrices as Q4_0, whose kernels llama.cpp tunes most; everything else stays.</summary>
    public static void Requantize(string source, string target)
    {
        if (File.Exists(target))
            return;
        using Checkpoint checkpoint = Checkpoint.Open(source);
        var entries = checkpoint.Tensors.Select(tensor => tensor.Type != "Q4_1"
            ? new Entry(tensor.Name, tensor.Type, [.. tensor.Shape], stream => checkpoint.CopyTo(tensor, stream))
            : new Entry(tensor.Name, Q4_0, [.. tensor.Shape], stream =>
            {
                using var stored = new MemoryStream(checked((int)tensor.Bytes));
                checkpoint.CopyTo(tensor, stored);
                stream.Write(FromQ4_1(stored.GetBuffer().AsSpan(0, (int)tensor.Bytes)));
            })).ToList();
        byte[] pairs = checkpoint.Metadata!.Bytes.ToArray();
        // general.file_type, a uint32: mostly Q4_0.
        int at = pairs.AsSpan().IndexOf("general.file_type"u8);
        if (at >= 0)
            MemoryMarshal.Write(pairs.AsSpan(at + "general.file_type".Length + sizeof(uint)), 2u);
        Write(target, pairs, checkpoint.Metadata.Keys.Count, entries);
    }

    /// <summary>Writes random weights.</summary>
    /// <param name="target">The file.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="kind">q4_0 or q4_k_m.</param>
    public static void WriteRandom(string target, ModelShape shape, string kind)
    {
        if (File.Exists(target))
            return;
        bool isK = kind switch { "q4_0" => false, "q4_k_m" => true, _ => throw new ArgumentException($"'{kind}' is none of q4_0, q4_k_m") };
        int seed = 0;
        var entries = new List<Entry> { Matrix("token_embd", ModelShape.Vocabulary, shape.Hidden, Q6_K), Vector("output_norm.weight", shape.Hidden, 1) };
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            // The first and the last eighth of the layers and every third between get more bits.
            bool isFine = layer < shape.Layers / 8 || layer >= 7 * shape.Layers / 8 || (layer - (shape.Layers / 8)) % 3 == 2;
            string usual = isK ? Q4_K : Q4_0, fine = isK && isFine ? Q6_K : usual;
            entries.AddRange(
            [
                Vector(prefix + "attn_norm.weight", shape.Hidden, 1), Vector(prefix + "ffn_norm.weight", shape.Hidden, 1),
                Matrix(prefix + "attn_q", shape.Hidden, shape.Hidden, usual), Vector(prefix + "attn_q.bias", shape.Hidden, 0),
                Matrix(prefix + "attn_k", shape.KeyWidth, shape.Hidden, usual), Vector(prefix + "attn_k.bias", shape.KeyWidth, 0),
                Matrix(prefix + "attn_v", shape.KeyWidth, shape.Hidden, fine), Vector(prefix + "attn_v.bias", shape.KeyWidth, 0),
                Matrix(prefix + "attn_output", shape.Hidden, shape.Hidden, usual), Matrix(prefix + "ffn_gate", shape.FeedForward, shape.Hidden, usual),
                Matrix(prefix + "ffn_up", shape.FeedForward, shape.Hidden, usual), Matrix(prefix + "ffn_down", shape.Hidden, shape.FeedForward, fine),
            ]);
        }

        Write(target, Pairs(shape, isK, out int count), count, entries);

        Entry Vector(string name, int length, float value) => new(name, F32, [length], stream =>
        {
            float[] values = new float[length];
            Array.Fill(values, value);
            stream.Write(MemoryMarshal.AsBytes<float>(values));
        });

        Entry Matrix(string name, int rows, int columns, string type)
        {
            // K-quants have blocks of 256; rows that are no multiple of it fall back.
            if (columns % 256 != 0)
                type = type switch { Q4_K => "Q5_0", Q6_K => "Q8_0", _ => type };
            int own = ++seed;
            float deviation = name == "token_embd" ? 0.02f : 0.4f / MathF.Sqrt(columns);
            return new Entry(name + ".weight", type, [rows, columns], stream => RandomBlocks(stream, type, (long)rows * columns, deviation, own));
        }
    }

    private static void RandomBlocks(Stream stream, string type, long values, float deviation, int seed)
    {
        GgufTensorType format = GgufTensorType.Find(type)!;
        var random = new Random(seed);
        byte[] blocks = new byte[4096 * format.BlockBytes];
        for (long left = values / format.BlockValues; left > 0; left -= 4096)
        {
            int count = (int)Math.Min(left, 4096);
            random.NextBytes(blocks);
            for (int i = 0; i < count; i++)
            {
                Span<byte> block = blocks.AsSpan(i * format.BlockBytes, format.BlockBytes);
                // Uniform codes of n levels have a deviation of n / sqrt(12).
                switch (type)
                {
                    case Q4_0:
                        MemoryMarshal.Write(block, (Half)(deviation / 4.6f));
                        break;
                    case "Q5_0":
                        MemoryMarshal.Write(block, (Half)(deviation / 9.2f));
                        break;
                    case "Q8_0":
                        MemoryMarshal.Write(block, (Half)(deviation / 74));
                        break;
                    case Q4_K:
                        MemoryMarshal.Write(block, (Half)(deviation / 4.6f / 32));
                        MemoryMarshal.Write(block[2..], (Half)(deviation / 4.6f / 32 * 7.5f));
                        break;
                    case Q6_K:
                        block.Slice(192, 16).Fill(32);
                        MemoryMarshal.Write(block[208..], (Half)(deviation / 18.5f / 32));
                        break;
                    default:
                        throw new ArgumentException($"no random blocks of {type}");
                }
            }

            stream.Write(blocks, 0, count * format.BlockBytes);
        }
    }

    /// <summary>As ggml's quantize_row_q4_0_ref: the value of largest magnitude becomes -8.</summary>
    private static byte[] FromQ4_1(ReadOnlySpan<byte> source)
    {
        const int From = 20, To = 18, Half32 = 16;
        byte[] target = new byte[source.Length / From * To];
        Span<float> w = stackalloc float[32];
        for (int block = 0; block < source.Length / From; block++)
        {
            ReadOnlySpan<byte> old = source.Slice(block * From, From);
            float scale = (float)MemoryMarshal.Read<Half>(old), least = (float)MemoryMarshal.Read<Half>(old[2..]), largest = 0;
            for (int i = 0; i < Half32; i++)
            {
                w[i] = (scale * (old[4 + i] & 15)) + least;
                w[i + Half32] = (scale * (old[4 + i] >> 4)) + least;
            }

            foreach (float value in w)
            {
                if (Math.Abs(value) > Math.Abs(largest))
                    largest = value;
            }

            float d = largest / -8, inverse = d == 0 ? 0 : 1 / d;
            Span<byte> now = target.AsSpan(block * To, To);
            MemoryMarshal.Write(now, (Half)d);
            for (int i = 0; i < Half32; i++)
                now[2 + i] = (byte)(Code(w[i] * inverse) | (Code(w[i + Half32] * inverse) << 4));
        }

        return target;

        static int Code(float value) => Math.Min(15, (int)(value + 8.5f));
    }

    private static byte[] Pairs(ModelShape shape, bool isK, out int count)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        int pairs = 0;
        const string a = "qwen2";
        Text("general.architecture", a);
        Text("general.name", $"random weights, Qwen2.5 {shape.Name}");
        UInt("general.file_type", isK ? 15u : 2u);
        UInt(a + ".context_length", 32768);
        UInt(a + ".embedding_length", (uint)shape.Hidden);
        UInt(a + ".block_count", (uint)shape.Layers);
        UInt(a + ".feed_forward_length", (uint)shape.FeedForward);
        UInt(a + ".attention.head_count", (uint)shape.Heads);
        UInt(a + ".attention.head_count_kv", (uint)shape.KeyHeads);
        Float(a + ".attention.layer_norm_rms_epsilon", 1e-6f);
        Float(a + ".rope.freq_base", 1e6f);
        (List<string> tokens, List<string> merges) = SyntheticModel.Vocabulary();
        int ordinary = tokens.Count;
        tokens.AddRange(["<|endoftext|>", "<|im_start|>", SyntheticModel.EndToken]);
        while (tokens.Count < ModelShape.Vocabulary)
            tokens.Add($"[PAD{tokens.Count}]");
        Text("tokenizer.ggml.model", "gpt2");
        Text("tokenizer.ggml.pre", "qwen2");
        Texts("tokenizer.ggml.tokens", tokens);
        Key("tokenizer.ggml.token_type", GgufValueType.Array);
        writer.Write((uint)GgufValueType.Int32);
        writer.Write((ulong)tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
            writer.Write(i < ordinary ? 1 : i < ordinary + 3 ? 3 : 5);
        Texts("tokenizer.ggml.merges", merges);
        UInt("tokenizer.ggml.eos_token_id", (uint)ordinary + 2);
        UInt("tokenizer.ggml.padding_token_id", (uint)ordinary);
        Key("tokenizer.ggml.add_bos_token", GgufValueType.Boolean);
        writer.Write(false);
        count = pairs;
        writer.Flush();
        return memory.ToArray();

        void Key(string key, GgufValueType type)
        {
            pairs++;
            String(key);
            writer.Write((uint)type);
        }

        void String(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            writer.Write((ulong)bytes.Length);
            writer.Write(bytes);
        }

        void Text(string key, string value)
        {
            Key(key, GgufValueType.String);
            String(value);
        }

        void UInt(string key, uint value)
        {
            Key(key, GgufValueType.UInt32);
            writer.Write(value);
        }

        void Float(string key, float value)
        {
            Key(key, GgufValueType.Float32);
            writer.Write(value);
        }

        void Texts(string key, List<string> values)
        {
            Key(key, GgufValueType.Array);
            writer.Write((uint)GgufValueType.String);
            writer.Write((ulong)values.Count);
            values.ForEach(String);
        }
    }

    private static void Write(string target, byte[] pairs, int pairCount, List<Entry> entries)
    {
        string partial = target + ".partial";
        using (var stream = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write("GGUF"u8);
            writer.Write(3u);
            writer.Write((ulong)entries.Count);
            writer.Write((ulong)pairCount);
            writer.Write(pairs);
            long offset = 0;
            foreach (Entry entry in entries)
            {
                byte[] name = Encoding.UTF8.GetBytes(entry.Name);
                writer.Write((ulong)name.Length);
                writer.Write(name);
                writer.Write((uint)entry.Shape.Length);
                foreach (long dimension in entry.Shape.Reverse())
                    writer.Write((ulong)dimension);
                writer.Write(entry.GgufType.Id);
                writer.Write((ulong)offset);
                offset += Aligned(entry.Bytes);
            }

            writer.Flush();
            foreach (Entry entry in entries)
            {
                stream.Write(new byte[Aligned(stream.Position) - stream.Position]);
                entry.Write(stream);
            }
        }

        File.Move(partial, target, overwrite: true);
    }

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;
}
