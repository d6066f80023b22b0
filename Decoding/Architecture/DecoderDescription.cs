using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Decoding.Architecture;

/// <summary>A decoder found in a checkpoint: its configuration and where its tensors are. No weight has been read.</summary>
internal sealed record DecoderDescription(DecoderConfig Config, DecoderTensors Tensors)
{
    // The same language model is saved under different prefixes by different versions and by vision-language models.
    private static readonly (string Prefix, string Head)[] HuggingFacePrefixes =
    [
        ("model.", "lm_head"),
        ("model.language_model.", "lm_head"),
        ("language_model.model.", "language_model.lm_head"),
        ("model.text_model.", "lm_head"),
    ];

    /// <summary>Reads the description from a checkpoint's configuration and headers.</summary>
    public static DecoderDescription Read(Checkpoint checkpoint)
    {
        if (checkpoint.Kind == CheckpointKind.Gguf)
            return new(GgufDecoder.Read(checkpoint), DecoderTensors.Gguf);
        if (checkpoint.Config is not { } config)
            throw new InvalidModelException(checkpoint.Path, "config.json", "the file is missing; a folder with config.json and its weights, or a GGUF file, is needed");
        JsonElement? generation = null;
        if (checkpoint.TryReadFile("generation_config.json", out byte[]? bytes))
            generation = ParseJson(Path.Combine(checkpoint.Path, "generation_config.json"), bytes);
        DecoderConfig decoder = HuggingFaceDecoder.Read(Path.Combine(checkpoint.Path, "config.json"), config, generation);
        foreach ((string prefix, string head) in HuggingFacePrefixes)
        {
            if (!checkpoint.HasMatrix(prefix + "embed_tokens"))
                continue;
            // Older files leave the field out and simply have no head of their own.
            if (!checkpoint.HasMatrix(head) && !StatesTying(config))
                decoder = decoder with { TiedHead = true };
            return new(decoder, DecoderTensors.HuggingFace(prefix, head));
        }

        throw new InvalidModelException(checkpoint.Path, "model.embed_tokens.weight", "the embedding is missing under every known prefix");
    }

    /// <summary>What the decoder needs of a device. Shapes that contradict the configuration are found here, before memory is planned by it.</summary>
    public ModelRequirements Requirements(Checkpoint checkpoint)
    {
        var weights = new List<WeightRequirement>();
        int hidden = Config.HiddenSize, query = Config.QueryHeads * Config.HeadSize, key = Config.KeyHeads * Config.HeadSize;
        Add(Operator.Embed, Tensors.Embedding, Config.VocabularySize, hidden);
        Add(Operator.Linear, Config.TiedHead ? Tensors.Embedding : Tensors.Head, Config.VocabularySize, hidden);
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            foreach ((string pattern, int rows, int columns) in (ReadOnlySpan<(string, int, int)>)
                [
                    (Tensors.Query, query, hidden), (Tensors.Key, key, hidden), (Tensors.Value, key, hidden), (Tensors.Output, hidden, query),
                    (Tensors.Gate, Config.FeedForwardSize, hidden), (Tensors.Up, Config.FeedForwardSize, hidden), (Tensors.Down, hidden, Config.FeedForwardSize),
                ])
                Add(Operator.Linear, DecoderTensors.InLayer(pattern, layer), rows, columns);
        }

        return new ModelRequirements
        {
            Weights = weights,
            Operators = new HashSet<Operator>
            {
                Operator.Embed, Operator.Linear, Operator.RmsNorm, Operator.RopeAngles, Operator.Rope, Operator.KvWrite,
                Operator.PagedAttention, Operator.GatedActivation, Operator.GatherRows, Operator.ScatterRows, Operator.TopK,
            },
            HeadSizes = new HashSet<int> { Config.HeadSize },
            Attention = Config.Windows.Any(w => w > 0) ? AttentionFeatures.Window : AttentionFeatures.None,
        };

        void Add(Operator @operator, string module, int rows, int columns)
        {
            MatrixInfo info = checkpoint.Describe(module);
            new MatrixSpec(module, rows, columns).Check(checkpoint, info);
            weights.Add(new(@operator, info.TensorName, info.Format, info.Rows, info.Columns, info.HasGroupIndex));
        }
    }

    private static bool StatesTying(JsonElement config) =>
        config.TryGetProperty("tie_word_embeddings", out _)
        || (config.TryGetProperty("text_config", out JsonElement text) && text.ValueKind == JsonValueKind.Object
            && text.TryGetProperty("tie_word_embeddings", out _));

    private static JsonElement ParseJson(string file, byte[] bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 64 });
            return document.RootElement.Clone();
        }
        catch (JsonException error)
        {
            throw new InvalidModelException(file, null, "it is not valid JSON", error);
        }
    }
}
