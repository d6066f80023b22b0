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
        if (GgufProjectors.IsOne(metadata))
            throw new InvalidModelException(file, GgufProjectors.ArchitectureKey, "it is a vision projector (mmproj), which goes with a language model: name the language model's GGUF file; the projector is found beside it, or named by an option");
        DecoderFamily family = DecoderFamily.OfGguf(a) ?? throw new UnsupportedException(
            $"Architecture '{a}' ({file})", $"supported are {string.Join(", ", DecoderFamily.All.SelectMany(f => f.GgufArchitectures))}");

        int hidden = Dimension(a + ".embedding_length"), layers = Dimension(a + ".block_count", 4096);
        // Layers that predict further tokens come last; they are not part of the decoder, and often not of the file.
        layers = Math.Max(1, layers - (OptionalDimension(a + ".nextn_predict_layers", 4096, least: 0) ?? 0));
        int queryHeads = Dimension(a + ".attention.head_count", 65536);
        int keyHeads = OptionalDimension(a + ".attention.head_count_kv", 65536) ?? queryHeads;
        LatentAttention? latent = !family.IsLatent ? null : new(
            OptionalDimension(a + ".attention.q_lora_rank", 65536) ?? 0, Dimension(a + ".attention.kv_lora_rank", 65536), Dimension(a + ".rope.dimension_count", 65536));
        if (latent is not null)
            keyHeads = queryHeads;
        // With latent attention the plain names are those of the latent vectors in the newer files.
        string lengths = metadata.TryGet(a + ".attention.key_length_mla", out _) ? "_mla" : "";
        int headSize = OptionalDimension(a + ".attention.key_length" + lengths, 65536) ?? hidden / queryHeads;
        int valueSize = OptionalDimension(a + ".attention.value_length" + lengths, 65536) ?? headSize;
        if (queryHeads % keyHeads != 0)
            throw new InvalidModelException(file, a + ".attention.head_count_kv", $"{queryHeads} query heads cannot share {keyHeads} key heads evenly");
        if (headSize < 2 || headSize % 2 != 0 || (long)(queryHeads + (2 * keyHeads)) * headSize > ConfigSection.MaxDimension)
            throw new InvalidModelException(file, a + ".attention.key_length", $"{queryHeads} heads of {headSize} are not possible");
        if (latent is null && valueSize != headSize)
            throw new UnsupportedException($"{a}.attention.value_length ({file})", "values must be as long as keys in this family");
        int rotary = OptionalDimension(a + ".rope.dimension_count", 65536) ?? headSize;
        if (rotary > headSize || rotary % 2 != 0 || (latent is not null && rotary >= headSize))
            throw new InvalidModelException(file, a + ".rope.dimension_count", $"{rotary} of {headSize} elements cannot rotate");

        int window = OptionalDimension(a + ".attention.sliding_window", 1 << 28, least: 0) ?? 0;
        int[] windows = Windows();
        var rope = new RopeConfig
        {
            Theta = OptionalNumber(a + ".rope.freq_base", 1e-3, 1e12) ?? 10000,
            RotaryDimensions = rotary,
            Style = family.GgufRope,
            Scaling = Scaling(),
            FrequencyFactors = Factors("rope_freqs.weight"),
            Sections = Sections(rotary),
            SectionOrder = family.SectionOrder,
        };
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
            Rope = rope,
            LocalRope = family.LocalTheta == 0
                ? null
                : rope with { Theta = OptionalNumber(a + ".rope.freq_base_swa", 1e-3, 1e12) ?? family.LocalTheta, Scaling = RopeScaling.None },
            LayerRopes = LayerRopes(),
            Windows = windows,
            SeesImagesWhole = family.SeesImagesWhole,
            Latent = latent,
            Delta = family.IsHybrid ? Delta() : null,
            HasOutputGate = family.HasOutputGate,
            ValueSize = latent is null ? 0 : valueSize,
            AttentionScale = latent is not null ? LatentScale() : OptionalNumber(a + ".attention.scale", 0, 1e12)
                ?? (family.GgufHiddenScaledLayers == layers ? 1 / Math.Sqrt((double)hidden / queryHeads) : null),
            AttentionSoftCap = (float)(OptionalNumber(a + ".attn_logit_softcapping", 0, 1e12) ?? 0),
            QueryScale = QueryScale(),
            Activation = family.Activation,
            QkvBias = checkpoint.TryGetTensor("blk.0.attn_q.bias", out _) || checkpoint.TryGetTensor("blk.0.attn_qkv.bias", out _),
            OutputBias = checkpoint.TryGetTensor("blk.0.attn_output.bias", out _),
            FeedForwardBias = checkpoint.TryGetTensor("blk.0.ffn_down.bias", out _),
            QueryKeyNorm = family.QueryKeyNormField is not null && !checkpoint.TryGetTensor("blk.0.attn_q_norm.weight", out _)
                ? QueryKeyNorm.None
                : family.QueryKeyNorm,
            Experts = Experts(),
            Norms = family.Norms,
            EmbeddingScale = family.IsEmbeddingScaled ? MathF.Sqrt(hidden) : (float)(OptionalNumber(a + ".embedding_scale", 0, 1e12) ?? 1),
            ResidualScale = (float)(OptionalNumber(a + ".residual_scale", 0, 1e12) ?? 1),
            LogitScale = (float)(1 / (OptionalNumber(a + ".logit_scale", 1e-12, 1e12) ?? 1)),
            LogitSoftCap = (float)(OptionalNumber(a + ".final_logit_softcapping", 0, 1e12) ?? 0),
            TiedHead = !checkpoint.HasMatrix(DecoderTensors.Gguf.Head),
            EndTokens = [.. new[] { "eos_token_id", "eot_token_id", "eom_token_id" }
                .Select(k => metadata.TryGetInt32("tokenizer.ggml." + k, out int id) ? id : -1).Where(id => id >= 0).Distinct()],
        };

        int[] Windows()
        {
            // Either every how many layers one has no window, or for each layer whether it has one.
            string key = a + ".attention.sliding_window_pattern";
            if (metadata.TryGetBooleanArray(key, out bool[]? listed))
            {
                return listed.Length == layers
                    ? [.. listed.Select(isLocal => isLocal ? window : 0)]
                    : throw new InvalidModelException(file, key, $"expected {layers} entries, found {listed.Length}");
            }

            int pattern = OptionalDimension(key, 4096) ?? family.WindowPattern;
            return [.. Enumerable.Range(0, layers).Select(i => pattern == 0 || (i + 1) % pattern != 0 ? window : 0)];
        }

        ExpertConfig? Experts()
        {
            int count = OptionalDimension(a + ".expert_count", 65536, least: 0) ?? 0;
            if (count == 0)
                return family.Experts is { IsOptional: false } ? throw new InvalidModelException(file, a + ".expert_count", "the key is missing") : null;
            if (family.Experts is not { } rules)
                throw new UnsupportedException($"Architecture '{a}' with experts ({file})", "its dense models are supported");
            int width = OptionalDimension(a + ".expert_feed_forward_length") ?? Dimension(a + ".feed_forward_length");
            int dense = OptionalDimension(a + ".leading_dense_block_count", 4096, least: 0) ?? 0;
            long shared = OptionalDimension(a + ".expert_shared_feed_forward_length") ?? (long)(OptionalDimension(a + ".expert_shared_count", 1024, least: 0) ?? 0) * width;
            double scale = OptionalNumber(a + ".expert_weights_scale", 0, 1e12) ?? 1;
            var experts = new ExpertConfig
            {
                Count = count,
                PerToken = Dimension(a + ".expert_used_count", 1024),
                FeedForwardSize = width,
                Layers = [.. Enumerable.Range(0, layers).Select(i => i >= dense)],
                Score = OptionalDimension(a + ".expert_gating_func", 16, least: 0) switch
                {
                    null or 0 => rules.Score,
                    1 => RouterScore.Softmax,
                    2 => RouterScore.Sigmoid,
                    int other => throw new UnsupportedException($"Router scores of kind {other} ({file})", "supported are 1 (softmax) and 2 (sigmoid)"),
                },
                IsRenormalized = !metadata.TryGetBoolean(a + ".expert_weights_norm", out bool isNormed) || isNormed,
                Scale = scale == 0 ? 1 : (float)scale,
                HasBias = rules.HasBias,
                HasSharedGate = rules.HasSharedGate && shared > 0,
                Groups = OptionalDimension(a + ".expert_group_count", 65536) ?? 1,
                GroupsPerToken = OptionalDimension(a + ".expert_group_used_count", 65536) ?? 1,
                SharedSize = (int)Math.Min(shared, ConfigSection.MaxDimension),
            };
            return experts.Fault() is { } fault ? throw new InvalidModelException(file, a + ".expert_count", fault) : experts;
        }

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

        DeltaConfig Delta()
        {
            string key = a + ".attention.recurrent_layers";
            int interval = OptionalDimension(a + ".full_attention_interval", 4096) ?? 4;
            bool isListed = metadata.TryGetBooleanArray(key, out bool[]? listed);
            if (isListed && listed!.Length < layers)
                throw new InvalidModelException(file, key, $"expected {layers} entries, found {listed.Length}");
            int valueHeads = Dimension(a + ".ssm.time_step_rank", 65536), inner = Dimension(a + ".ssm.inner_size");
            if (inner % valueHeads != 0)
                throw new InvalidModelException(file, a + ".ssm.inner_size", $"{inner} does not divide into {valueHeads} heads");
            var delta = new DeltaConfig
            {
                Layers = [.. Enumerable.Range(0, layers).Select(i => isListed ? listed![i] : (i + 1) % interval != 0)],
                KeyHeads = Dimension(a + ".ssm.group_count", 65536),
                ValueHeads = valueHeads,
                KeySize = Dimension(a + ".ssm.state_size", 65536),
                ValueSize = inner / valueHeads,
                Taps = Dimension(a + ".ssm.conv_kernel", 4096),
                AreKeyHeadsTiled = family.AreGgufKeyHeadsTiled,
            };
            return delta.Fault() is { } fault ? throw new InvalidModelException(file, a + ".ssm.inner_size", fault) : delta;
        }

        double LatentScale()
        {
            // The file's multiplier is 0.1 times the configuration's.
            double multiplier = 10 * (OptionalNumber(a + ".rope.scaling.yarn_log_multiplier", 0, 1e12) ?? 0);
            double scale = multiplier == 0 ? 1 : RopeScaling.YarnScale(OptionalNumber(a + ".rope.scaling.factor", 1e-3, 1e12) ?? 1, multiplier);
            return scale * scale / Math.Sqrt(headSize);
        }

        string Found(string key) => metadata.TryGet(key, out GgufValue value) ? value.ToString() : "nothing";

        LayerRope[]? LayerRopes() =>
            family.LocalTheta != 0 ? [.. windows.Select(w => w > 0 ? LayerRope.Local : LayerRope.Global)]
            : family.NoRopeInterval != 0 ? [.. windows.Select((_, i) => (i + 1) % family.NoRopeInterval != 0 ? LayerRope.Global : LayerRope.None)]
            : null;

        PositionScale? QueryScale()
        {
            double beta = OptionalNumber(a + ".attention.temperature_scale", 0, 1e12) ?? 0;
            if (beta == 0)
                return null;
            // The scale travels with the cosines and sines of the queries, so every element of a head must rotate.
            return rotary == headSize
                ? new(beta, Dimension(a + ".rope.scaling.original_context_length", 1 << 28))
                : throw new UnsupportedException($"{a}.attention.temperature_scale with a partial rope ({file})", "supported with a rope over whole heads");
        }

        RopeScaling Scaling()
        {
            string key = a + ".rope.scaling.type";
            string kind = metadata.TryGet(key, out _) ? metadata.GetString(key) : "none";
            double factor = OptionalNumber(a + ".rope.scaling.factor", 1e-3, 1e12) ?? 1;
            double? attention = OptionalNumber(a + ".rope.scaling.attn_factor", 1e-3, 1e12);
            int original = OptionalDimension(a + ".rope.scaling.original_context_length", 1 << 28)
                ?? OptionalDimension(a + ".context_length", 1 << 28) ?? 4096;
            // LongRoPE is told by its tensors, not by its name.
            if (Factors("rope_factors_long.weight") is { } longFactors && Factors("rope_factors_short.weight") is { } shortFactors)
            {
                double extended = (double)(OptionalDimension(a + ".context_length", 1 << 28) ?? original) / original;
                return new(RopeScalingKind.LongRope)
                {
                    Factor = extended, OriginalContext = original, LongFactors = longFactors, ShortFactors = shortFactors,
                    AttentionFactor = attention ?? RopeScaling.LongRopeScale(extended, original),
                };
            }

            switch (kind)
            {
                case "none":
                    return RopeScaling.None;
                case "linear":
                    return new(RopeScalingKind.Linear) { Factor = factor };
                case "yarn":
                    if (OptionalNumber(a + ".rope.freq_base", 1e-3, 1e12) <= 1)
                        throw new InvalidModelException(file, a + ".rope.freq_base", "yarn needs a base above 1");
                    double multiplier = OptionalNumber(a + ".rope.scaling.yarn_log_multiplier", 0, 1e12) ?? 0;
                    return new(RopeScalingKind.Yarn)
                    {
                        Factor = factor,
                        OriginalContext = original,
                        BetaFast = OptionalNumber(a + ".rope.scaling.yarn_beta_fast", 1e-3, 1e12) ?? 32,
                        BetaSlow = OptionalNumber(a + ".rope.scaling.yarn_beta_slow", 1e-3, 1e12) ?? 1,
                        // With latent attention both scales of the configuration are the same, and the scores' scale holds them.
                        AttentionFactor = (attention ?? 1) * (latent is not null ? 1
                            : RopeScaling.YarnScale(factor) / (multiplier == 0 ? 1 : RopeScaling.YarnScale(factor, multiplier))),
                    };
                default:
                    throw new UnsupportedException(
                        $"Rope scaling '{kind}' ({file})", "supported are none, linear, yarn, and the tensors rope_freqs and rope_factors_long/short");
            }
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

        float[]? Factors(string tensor)
        {
            if (!checkpoint.TryReadVector(tensor, out float[]? factors))
                return null;
            if (factors.Length != rotary / 2 || factors.Any(f => !(f > 0) || float.IsInfinity(f)))
                throw new InvalidModelException(file, tensor, $"expected {rotary / 2} positive factors, found {factors.Length} values");
            return factors;
        }
    }
}
