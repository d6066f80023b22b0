using Portable.Checkpoints;

namespace Portable.Decoding.Architecture;

/// <summary>Reads a decoder's configuration from GGUF metadata.</summary>
internal static class GgufDecoder
{
    /// <summary>Reads the configuration.</summary>
    public static DecoderConfig Read(Checkpoint checkpoint)
    {
        GgufMetadata metadata = checkpoint.Metadata!;
        string file = checkpoint.Path;
        string a = metadata.GetString("general.architecture");
        DecoderFamily family = DecoderFamily.OfGguf(a) ?? throw new UnsupportedException(
            $"Architecture '{a}' ({file})", $"supported are {string.Join(", ", DecoderFamily.All.SelectMany(f => f.GgufArchitectures))}");

        if ((OptionalDimension(a + ".expert_count", 65536, least: 0) ?? 0) > 0)
            throw new UnsupportedException($"Architecture '{a}' with experts ({file})", "mixtures of experts are not supported yet");

        int hidden = Dimension(a + ".embedding_length"), layers = Dimension(a + ".block_count", 4096);
        int queryHeads = Dimension(a + ".attention.head_count", 65536);
        int keyHeads = OptionalDimension(a + ".attention.head_count_kv", 65536) ?? queryHeads;
        int headSize = OptionalDimension(a + ".attention.key_length", 65536) ?? hidden / queryHeads;
        if (queryHeads % keyHeads != 0)
            throw new InvalidModelException(file, a + ".attention.head_count_kv", $"{queryHeads} query heads cannot share {keyHeads} key heads evenly");
        if (headSize < 2 || headSize % 2 != 0 || (long)(queryHeads + (2 * keyHeads)) * headSize > ConfigSection.MaxDimension)
            throw new InvalidModelException(file, a + ".attention.key_length", $"{queryHeads} heads of {headSize} are not possible");
        if ((OptionalDimension(a + ".attention.value_length", 65536) ?? headSize) != headSize)
            throw new UnsupportedException($"{a}.attention.value_length ({file})", "values must be as long as keys in this family");
        int rotary = OptionalDimension(a + ".rope.dimension_count", 65536) ?? headSize;
        if (rotary > headSize || rotary % 2 != 0)
            throw new InvalidModelException(file, a + ".rope.dimension_count", $"{rotary} of {headSize} elements cannot rotate");

        int window = OptionalDimension(a + ".attention.sliding_window", 1 << 28) ?? 0;
        return new DecoderConfig
        {
            Architecture = a,
            VocabularySize = VocabularySize(),
            HiddenSize = hidden,
            FeedForwardSize = Dimension(a + ".feed_forward_length"),
            Layers = layers,
            QueryHeads = queryHeads,
            KeyHeads = keyHeads,
            HeadSize = headSize,
            NormEpsilon = (float)(OptionalNumber(a + ".attention.layer_norm_rms_epsilon", 0, 1) ?? 1e-5),
            ContextLength = OptionalDimension(a + ".context_length", 1 << 28) ?? 4096,
            Rope = new RopeConfig
            {
                Theta = OptionalNumber(a + ".rope.freq_base", 1e-3, 1e12) ?? 10000,
                RotaryDimensions = rotary,
                Style = family.GgufRope,
                Scaling = Scaling(),
                FrequencyFactors = checkpoint.TryReadVector("rope_freqs.weight", out float[]? factors) ? Checked(factors, rotary / 2) : null,
                Sections = Sections(rotary),
                SectionOrder = family.SectionOrder,
            },
            Windows = [.. Enumerable.Repeat(window, layers)],
            QkvBias = checkpoint.TryGetTensor("blk.0.attn_q.bias", out _),
            OutputBias = checkpoint.TryGetTensor("blk.0.attn_output.bias", out _),
            FeedForwardBias = checkpoint.TryGetTensor("blk.0.ffn_down.bias", out _),
            QueryKeyNorm = family.QueryKeyNorm,
            TiedHead = !checkpoint.HasMatrix(DecoderTensors.Gguf.Head),
            EndTokens = [.. new[] { "eos_token_id", "eot_token_id", "eom_token_id" }
                .Select(k => metadata.TryGetInt32("tokenizer.ggml." + k, out int id) ? id : -1).Where(id => id >= 0).Distinct()],
        };

        int VocabularySize() => checkpoint.HasMatrix(DecoderTensors.Gguf.Embedding)
            ? checkpoint.Describe(DecoderTensors.Gguf.Embedding).Rows
            : throw new InvalidModelException(file, "token_embd.weight", "the tensor is missing");

        int Dimension(string key, int max = ConfigSection.MaxDimension) =>
            OptionalDimension(key, max) ?? throw new InvalidModelException(file, key, "the key is missing");

        int? OptionalDimension(string key, int max = ConfigSection.MaxDimension, int least = 1)
        {
            if (!metadata.TryGet(key, out _))
                return null;
            if (metadata.TryGetInt32(key, out int number) && number >= least && number <= max)
                return number;
            throw new InvalidModelException(file, key, $"expected an integer from {least} to {max}, found {Found(key)}");
        }

        double? OptionalNumber(string key, double min, double max)
        {
            if (!metadata.TryGet(key, out _))
                return null;
            if (metadata.TryGetFloat(key, out float number) && number >= min && number <= max)
                return number;
            throw new InvalidModelException(file, key, $"expected a number from {min} to {max}, found {Found(key)}");
        }

        string Found(string key) => metadata.TryGet(key, out GgufValue value) ? value.ToString() : "nothing";

        RopeScaling Scaling()
        {
            string key = a + ".rope.scaling.type";
            string kind = metadata.TryGet(key, out _) ? metadata.GetString(key) : "none";
            return kind switch
            {
                "none" => RopeScaling.None,
                "linear" => new(RopeScalingKind.Linear, OptionalNumber(a + ".rope.scaling.factor", 1e-3, 1e12) ?? 1),
                _ => throw new UnsupportedException($"Rope scaling '{kind}' ({file})", "supported are none, linear and the rope_freqs tensor"),
            };
        }

        IReadOnlyList<int>? Sections(int dimensions)
        {
            string key = a + ".rope.dimension_sections";
            if (!metadata.TryGet(key, out _))
                return null;
            if (!metadata.TryGetInt32Array(key, out int[]? sections) || sections.Length is < 3 or > 4
                || sections.Any(s => s < 0 || s > dimensions) || sections.Sum() > dimensions / 2)
                throw new InvalidModelException(file, key, $"expected sections of together {dimensions / 2} frequencies, found {Found(key)}");
            return sections.Take(3).All(s => s == 0) ? null : [.. sections.Take(3)];
        }

        float[] Checked(float[] factors, int half)
        {
            if (factors.Length != half || factors.Any(f => !(f > 0) || float.IsInfinity(f)))
                throw new InvalidModelException(file, "rope_freqs.weight", $"expected {half} positive factors, found {factors.Length} values");
            return factors;
        }
    }
}
