using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Decoding.Architecture;

/// <summary>A decoder found in a checkpoint: its configuration and where its tensors are. No weight has been read.</summary>
internal sealed record DecoderDescription(DecoderConfig Config, DecoderTensors Tensors)
{
    // The same language model is saved under different prefixes by different versions and by vision-language models.
    private static readonly (string Prefix, string HeadPrefix)[] HuggingFacePrefixes =
    [
        ("model.", ""),
        ("model.language_model.", ""),
        ("language_model.model.", "language_model."),
        ("model.text_model.", ""),
    ];

    /// <summary>Reads the description from a checkpoint's configuration and headers.</summary>
    public static DecoderDescription Read(Checkpoint checkpoint)
    {
        if (checkpoint.Kind == CheckpointKind.Gguf)
        {
            DecoderConfig stored = GgufDecoder.Read(checkpoint);
            return new(stored, DecoderFamily.OfGguf(stored.Architecture)!.GgufTensors.In(checkpoint));
        }

        if (checkpoint.Config is not { } config)
            throw new InvalidModelException(checkpoint.Path, "config.json", "the file is missing; a folder with config.json and its weights, or a GGUF file, is needed");
        JsonElement? generation = null;
        if (checkpoint.TryReadFile("generation_config.json", out byte[]? bytes))
            generation = ModelFolder.ParseObject(Path.Combine(checkpoint.Path, "generation_config.json"), bytes, allowsDuplicates: true);
        DecoderConfig decoder = HuggingFaceDecoder.Read(Path.Combine(checkpoint.Path, "config.json"), config, generation);
        DecoderTensors names = DecoderFamily.OfModelType(decoder.Architecture)!.Tensors;
        foreach ((string prefix, string headPrefix) in HuggingFacePrefixes)
        {
            DecoderTensors tensors = names.Below(prefix, headPrefix);
            if (!checkpoint.HasMatrix(tensors.Embedding))
                continue;
            // Older files leave the field out and simply have no head of their own.
            if (!checkpoint.HasMatrix(tensors.Head) && !StatesTying(config))
                decoder = decoder with { TiedHead = true };
            return new(decoder, tensors.In(checkpoint));
        }

        throw new InvalidModelException(checkpoint.Path, $"model.{names.Embedding}.weight", "the embedding is missing under every known prefix");
    }

    /// <summary>The matrices of a layer that are stacked to q, k and v.</summary>
    public MatrixSpec[] Qkv(int layer)
    {
        int query = Config.QuerySize, key = Config.KeySize, hidden = Config.HiddenSize;
        if (Tensors.FusedQkv is { } fused)
        {
            return [new(DecoderTensors.InLayer(fused, layer), Config.QkvSize, hidden)
            {
                RowOrder = Tensors.IsQkvGrouped ? UngroupedRows(Config.QueryHeads, Config.KeyHeads, Config.HeadSize) : null,
            }];
        }

        return
        [
            new(DecoderTensors.InLayer(Tensors.Query, layer), query, hidden),
            new(DecoderTensors.InLayer(Tensors.Key, layer), key, hidden),
            new(DecoderTensors.InLayer(Tensors.Value, layer), key, hidden),
        ];
    }

    /// <summary>The matrices of a layer that are stacked to gate and up.</summary>
    public MatrixSpec[] GateUp(int layer) => Tensors.FusedGateUp is { } fused
        ? [new(DecoderTensors.InLayer(fused, layer), 2 * Config.FeedForwardSize, Config.HiddenSize)]
        : GateUp(Tensors.Gate, Tensors.Up, layer, Config.FeedForwardSize);

    /// <summary>The last matrix of a layer's feed-forward.</summary>
    public MatrixSpec Down(int layer) => new(DecoderTensors.InLayer(Tensors.Down, layer), Config.HiddenSize, Config.FeedForwardSize);

    /// <summary>Gate and up of the expert that every token goes through.</summary>
    public MatrixSpec[] SharedGateUp(int layer) => GateUp(Tensors.SharedGate, Tensors.SharedUp, layer, Config.Experts!.SharedSize);

    /// <summary>The last matrix of that expert.</summary>
    public MatrixSpec SharedDown(int layer) => new(DecoderTensors.InLayer(Tensors.SharedDown, layer), Config.HiddenSize, Config.Experts!.SharedSize);

    /// <summary>The experts' matrices of a name: one each, or one for all with the rows of all.</summary>
    public MatrixSpec[] ExpertMatrices(string pattern, int layer, bool isDown)
    {
        ExpertConfig experts = Config.Experts!;
        (int rows, int columns) = isDown ? (Config.HiddenSize, experts.FeedForwardSize) : (experts.FeedForwardSize, Config.HiddenSize);
        return pattern.Contains("{1}", StringComparison.Ordinal)
            ? [.. Enumerable.Range(0, experts.Count).Select(e => new MatrixSpec(DecoderTensors.InLayer(pattern, layer, e), rows, columns))]
            : [new(DecoderTensors.InLayer(pattern, layer), (int)Math.Min((long)experts.Count * rows, int.MaxValue), columns)];
    }

    /// <summary>
    /// Where the rows of all q, all k, all v lie in a tensor that holds, for each key head, its query heads, then the key,
    /// then the value.
    /// </summary>
    internal static int[] UngroupedRows(int queryHeads, int keyHeads, int headSize)
    {
        int perKey = queryHeads / keyHeads;
        IEnumerable<int> heads = Enumerable.Range(0, queryHeads).Select(h => ((h / perKey) * (perKey + 2)) + (h % perKey))
            .Concat(Enumerable.Range(0, keyHeads).Select(g => (g * (perKey + 2)) + perKey))
            .Concat(Enumerable.Range(0, keyHeads).Select(g => (g * (perKey + 2)) + perKey + 1));
        return [.. heads.SelectMany(head => Enumerable.Range(head * headSize, headSize))];
    }

    /// <summary>What the decoder needs of a device. Shapes that contradict the configuration are found here, before memory is planned by it.</summary>
    public ModelRequirements Requirements(Checkpoint checkpoint)
    {
        var weights = new List<WeightRequirement>();
        int hidden = Config.HiddenSize;
        Add(Operator.Embed, new(Tensors.Embedding, Config.VocabularySize, hidden));
        Add(Operator.Linear, new(Config.TiedHead ? Tensors.Embedding : Tensors.Head, Config.VocabularySize, hidden));
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            foreach (MatrixSpec matrix in Qkv(layer))
                Add(Operator.Linear, matrix);
            Add(Operator.Linear, new(DecoderTensors.InLayer(Tensors.Output, layer), hidden, Config.QuerySize));
            if (!Config.HasExperts(layer))
            {
                foreach (MatrixSpec matrix in (MatrixSpec[])[.. GateUp(layer), Down(layer)])
                    Add(Operator.Linear, matrix);
                continue;
            }

            Add(Operator.Linear, new(DecoderTensors.InLayer(Tensors.Router, layer), Config.Experts!.Count, hidden));
            if (Config.Experts!.SharedSize > 0)
            {
                foreach (MatrixSpec matrix in (MatrixSpec[])[.. SharedGateUp(layer), SharedDown(layer)])
                    Add(Operator.Linear, matrix);
            }

            foreach (MatrixSpec matrix in (MatrixSpec[])
                [
                    .. ExpertMatrices(Tensors.ExpertGate, layer, isDown: false), .. ExpertMatrices(Tensors.ExpertUp, layer, isDown: false),
                    .. ExpertMatrices(Tensors.ExpertDown, layer, isDown: true),
                ])
                AddExperts(matrix);
        }

        var operators = new HashSet<Operator>
        {
            Operator.Embed, Operator.Linear, Operator.RmsNorm, Operator.RopeAngles, Operator.Rope, Operator.KvWrite,
            Operator.PagedAttention, Operator.GatedActivation, Operator.GatherRows, Operator.ScatterRows, Operator.TopK,
        };
        if (Config.HasPostNorms || Config.ResidualScale != 1 || Config.Experts is not null)
            operators.Add(Operator.Add);
        if (Config.Experts is not null)
            operators.Add(Operator.Fill);
        if (Config.QueryScale is not null)
            operators.Add(Operator.Multiply);
        if (Config.LogitSoftCap > 0)
            operators.Add(Operator.Activation);
        return new ModelRequirements
        {
            Weights = weights,
            Operators = operators,
            HeadSizes = new HashSet<int> { Config.HeadSize },
            Attention = Enumerable.Range(0, Config.Layers).Aggregate(AttentionFeatures.None, (all, layer) => all | Config.Attention(layer).Features),
        };

        // All experts in one tensor count as one matrix with the rows of all.
        void AddExperts(MatrixSpec matrix)
        {
            MatrixInfo info = checkpoint.Describe(matrix.Module);
            weights.Add(new(Operator.Linear, info.TensorName, info.Format, matrix.Rows, matrix.Columns, info.HasGroupIndex, IsExpert: true));
        }

        void Add(Operator @operator, MatrixSpec matrix)
        {
            MatrixInfo info = checkpoint.Describe(matrix.Module);
            matrix.Check(checkpoint, info);
            weights.Add(new(@operator, info.TensorName, info.Format, info.Rows, info.Columns, info.HasGroupIndex));
        }
    }

    private MatrixSpec[] GateUp(string gate, string up, int layer, int width) =>
    [
        new(DecoderTensors.InLayer(gate, layer), width, Config.HiddenSize),
        new(DecoderTensors.InLayer(up, layer), width, Config.HiddenSize),
    ];

    private static bool StatesTying(JsonElement config) =>
        config.TryGetProperty("tie_word_embeddings", out _)
        || (config.TryGetProperty("text_config", out JsonElement text) && text.ValueKind == JsonValueKind.Object
            && text.TryGetProperty("tie_word_embeddings", out _));
}
