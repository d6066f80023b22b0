using System.Text.Json;
using Portable.Checkpoints;

namespace Portable.Decoding.Architecture;

/// <summary>A decoder found in a checkpoint: its configuration and where its tensors are. No weight has been read.</summary>
internal sealed record DecoderDescription(DecoderConfig Config, DecoderTensors Tensors)
{
    /// <summary>How the output matrix is rounded when it is loaded; null leaves it as the checkpoint has it.</summary>
    public WeightFormat? RoundedHead { get; init; }

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
            return new DecoderDescription(stored, DecoderFamily.OfGguf(stored.Architecture)!.GgufTensors.In(checkpoint, stored.Layers)).Oriented(checkpoint);
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
            return new DecoderDescription(decoder, tensors.In(checkpoint, decoder.Layers)).Oriented(checkpoint);
        }

        throw new InvalidModelException(checkpoint.Path, $"model.{names.Embedding}.weight", "the embedding is missing under every known prefix");
    }

    /// <summary>The matrices of a layer with a recurrent state that are stacked to its first projection: q, k, v, the gate of the output.</summary>
    public MatrixSpec[] DeltaInput(int layer)
    {
        DeltaConfig delta = Config.Delta!;
        DeltaTensors names = Tensors.Delta!;
        if (names.FusedInput is { } fused)
        {
            int perKey = delta.ValueHeads / delta.KeyHeads * delta.ValueSize, k = delta.KeySize;
            return [new(DecoderTensors.InLayer(fused, layer), delta.InputColumns, Config.HiddenSize) { RowOrder = ByPart(delta.KeyHeads, [k, k, perKey, perKey]) }];
        }

        return
        [
            new(DecoderTensors.InLayer(names.Qkv, layer), delta.MixedColumns, Config.HiddenSize),
            new(DecoderTensors.InLayer(names.Gate, layer), delta.ValueColumns, Config.HiddenSize),
        ];
    }

    /// <summary>The matrices of such a layer that are stacked to beta and decay.</summary>
    public MatrixSpec[] DeltaGates(int layer)
    {
        DeltaConfig delta = Config.Delta!;
        DeltaTensors names = Tensors.Delta!;
        if (names.FusedGates is { } fused)
        {
            int perKey = delta.ValueHeads / delta.KeyHeads;
            return [new(DecoderTensors.InLayer(fused, layer), 2 * delta.ValueHeads, Config.HiddenSize) { RowOrder = ByPart(delta.KeyHeads, [perKey, perKey]) }];
        }

        return
        [
            new(DecoderTensors.InLayer(names.Beta, layer), delta.ValueHeads, Config.HiddenSize),
            new(DecoderTensors.InLayer(names.Decay, layer), delta.ValueHeads, Config.HiddenSize),
        ];
    }

    /// <summary>The last matrix of a layer's first branch.</summary>
    public MatrixSpec Output(int layer) => Config.IsDelta(layer)
        ? new(DecoderTensors.InLayer(Tensors.Delta!.Output, layer), Config.HiddenSize, Config.Delta!.ValueColumns)
        : new(DecoderTensors.InLayer(Tensors.Output, layer), Config.HiddenSize, Config.AttendedSize);

    /// <summary>The gate of what attention gives: in a tensor with the queries, head by head a query and its gate.</summary>
    public MatrixSpec OutputGate(int layer) => QueryPart(layer, 1);

    private MatrixSpec QueryPart(int layer, int part) => new(DecoderTensors.InLayer(Tensors.Query, layer), 2 * Config.QuerySize, Config.HiddenSize)
    {
        RowOrder = ByPart(Config.QueryHeads, [Config.HeadSize, Config.HeadSize])[(part * Config.QuerySize)..((part + 1) * Config.QuerySize)],
    };

    /// <summary>Where the rows of all first parts, all second parts, … lie in a tensor that holds for each head its part of each.</summary>
    private static int[] ByPart(int heads, int[] sizes)
    {
        int perHead = sizes.Sum();
        return [.. sizes.SelectMany((size, part) => Enumerable.Range(0, heads)
            .SelectMany(head => Enumerable.Range((head * perHead) + sizes[..part].Sum(), size)))];
    }

    /// <summary>The matrices of a layer's first branch, but its output.</summary>
    private MatrixSpec[] BranchInputs(int layer) =>
        Config.IsDelta(layer) ? [.. DeltaInput(layer), .. DeltaGates(layer)]
        : Config.Latent is { } latent
            ? [.. LatentDown(layer), .. latent.QueryRank > 0 ? [LatentQueryUp(layer)] : (MatrixSpec[])[], .. LatentUp(layer, isKey: true), .. LatentUp(layer, isKey: false)]
        : Config.HasOutputGate ? [.. Qkv(layer), OutputGate(layer)]
        : Qkv(layer);

    /// <summary>Whether plain tensors of experts hold inputs by outputs, as gpt-oss's and early files of other families do.</summary>
    public bool AreExpertsTransposed { get; init; }

    private DecoderFamily Family => DecoderFamily.OfModelType(Config.Architecture) ?? DecoderFamily.OfGguf(Config.Architecture)!;

    private DecoderDescription Oriented(Checkpoint checkpoint)
    {
        if (Config.Experts is not { } experts || Tensors.FusedExpertGateUp is not { } fused)
            return this;
        int layer = experts.Layers.ToList().LastIndexOf(true);
        if (layer < 0)
            return this;
        MatrixInfo info = checkpoint.Describe(DecoderTensors.InLayer(fused, layer), 0);
        bool isTurned = info.Rows == Config.HiddenSize && info.Columns == 2 * experts.FeedForwardSize;
        return this with { AreExpertsTransposed = info.Format.IsPlain && isTurned && (Family.Experts!.AreTransposed || info.Rows != info.Columns) };
    }

    /// <summary>Latent attention: the matrices of a layer that are stacked to the first projection.</summary>
    public MatrixSpec[] LatentDown(int layer)
    {
        LatentAttention latent = Config.Latent!;
        MatrixSpec query = latent.QueryRank > 0
            ? new(DecoderTensors.InLayer(Tensors.LatentQueryDown, layer), latent.QueryRank, Config.HiddenSize)
            : new(DecoderTensors.InLayer(Tensors.Query, layer), Config.QuerySize, Config.HiddenSize) { RowOrder = RopeFirst() };
        return [query, new(DecoderTensors.InLayer(Tensors.LatentKeyDown, layer), latent.KeyRank + latent.RopeSize, Config.HiddenSize)];
    }

    /// <summary>Latent attention: from the queries' latent vector to the queries; only where there is one.</summary>
    public MatrixSpec LatentQueryUp(int layer) =>
        new(DecoderTensors.InLayer(Tensors.LatentQueryUp, layer), Config.QuerySize, Config.Latent!.QueryRank) { RowOrder = RopeFirst() };

    /// <summary>Latent attention: from the latent vector to the part of keys that does not rotate, or to the values, head after head.</summary>
    public MatrixSpec[] LatentUp(int layer, bool isKey)
    {
        LatentAttention latent = Config.Latent!;
        int heads = Config.QueryHeads, key = Config.HeadSize - latent.RopeSize, value = Config.ValueHeadSize;
        if (Tensors.LatentKeyUp is { } keyUp)
        {
            return [.. Enumerable.Range(0, heads).Select(head => isKey
                ? new MatrixSpec(DecoderTensors.InLayer(keyUp, layer), latent.KeyRank, key) { Slice = head, IsTransposed = true }
                : new MatrixSpec(DecoderTensors.InLayer(Tensors.LatentValueUp!, layer), value, latent.KeyRank) { Slice = head })];
        }

        return [new(DecoderTensors.InLayer(Tensors.LatentKeyValueUp, layer), heads * (key + value), latent.KeyRank)
        {
            RowOrder = [.. Enumerable.Range(0, heads).SelectMany(head => Enumerable.Range((head * (key + value)) + (isKey ? 0 : key), isKey ? key : value))],
        }];
    }

    // The rope operator rotates the first elements of a head; files store them last.
    private int[] RopeFirst()
    {
        int size = Config.HeadSize, rope = Config.Latent!.RopeSize;
        return [.. Enumerable.Range(0, Config.QueryHeads).SelectMany(head =>
            Enumerable.Range((head * size) + size - rope, rope).Concat(Enumerable.Range(head * size, size - rope)))];
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
            Config.HasOutputGate ? QueryPart(layer, 0) : new(DecoderTensors.InLayer(Tensors.Query, layer), query, hidden),
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

    /// <summary>The experts' matrices of a name: one each, or one that describes each matrix of a tensor of all.</summary>
    public MatrixSpec[] ExpertMatrices(string pattern, int layer, bool isDown)
    {
        ExpertConfig experts = Config.Experts!;
        (int rows, int columns) = isDown ? (Config.HiddenSize, experts.FeedForwardSize) : (experts.FeedForwardSize, Config.HiddenSize);
        if (Tensors.FusedExpertGateUp is { } fused)
        {
            bool isUp = pattern == Tensors.ExpertUp;
            int all = isDown ? rows : 2 * rows;
            string module = DecoderTensors.InLayer(isDown ? Tensors.ExpertDown.Replace(".{1}", "", StringComparison.Ordinal) : fused, layer);
            return [new(module, AreExpertsTransposed ? columns : all, AreExpertsTransposed ? all : columns)
            {
                IsTransposed = AreExpertsTransposed,
                RowOrder = isDown ? null
                    : Family.Experts!.AreInterleaved ? [.. Enumerable.Range(0, rows).Select(row => (2 * row) + (isUp ? 1 : 0))]
                    : [.. Enumerable.Range(isUp ? rows : 0, rows)],
            }];
        }

        return pattern.Contains("{1}", StringComparison.Ordinal)
            ? [.. Enumerable.Range(0, experts.Count).Select(e => new MatrixSpec(DecoderTensors.InLayer(pattern, layer, e), rows, columns))]
            : [new(DecoderTensors.InLayer(pattern, layer), rows, columns)];
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

    /// <summary>The output matrix.</summary>
    public MatrixSpec Head => new(Config.TiedHead ? Tensors.Embedding : Tensors.Head, Config.VocabularySize, Config.HiddenSize);

    /// <summary>What the decoder needs of a device. Shapes that contradict the configuration are found here, before memory is planned by it.</summary>
    public ModelRequirements Requirements(Checkpoint checkpoint)
    {
        var weights = new List<WeightRequirement>();
        int hidden = Config.HiddenSize;
        Add(Operator.Embed, new(Tensors.Embedding, Config.VocabularySize, hidden));
        Add(Operator.Linear, Head);
        if (RoundedHead is { } rounded)
            weights[^1] = weights[^1] with { Format = rounded, HasGroupIndex = false };
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            foreach (MatrixSpec matrix in (MatrixSpec[])[.. BranchInputs(layer), Output(layer)])
                Add(Operator.Linear, matrix);
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

            if (Config.Experts!.HasSharedGate)
                Add(Operator.Linear, new(DecoderTensors.InLayer(Tensors.SharedOutputGate, layer), 1, hidden));
            AddExperts(ExpertMatrices(Tensors.ExpertGate, layer, isDown: false));
            AddExperts(ExpertMatrices(Tensors.ExpertUp, layer, isDown: false));
            AddExperts(ExpertMatrices(Tensors.ExpertDown, layer, isDown: true));
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
        if (Config.Latent is not null)
            operators.Add(Operator.Copy);
        if (Config.Delta is not null)
            operators.UnionWith([Operator.CausalConvolution, Operator.GatedDelta, Operator.Activation, Operator.Fill]);
        if (Config.Experts is { HasSharedGate: true })
            operators.Add(Operator.Activation);
        if (Config.QueryScale is not null)
            operators.Add(Operator.Multiply);
        if (Config.LogitSoftCap > 0)
            operators.Add(Operator.Activation);
        return new ModelRequirements
        {
            Weights = weights,
            Operators = operators,
            HeadSizes = new HashSet<int> { Config.HeadSize, Config.ValueHeadSize },
            Attention = Enumerable.Range(0, Config.Layers).Aggregate(Config.HasSinks ? AttentionFeatures.Sinks : AttentionFeatures.None, (all, layer) => all | Config.Attention(layer).Features),
        };

        void AddExperts(MatrixSpec[] matrices)
        {
            bool isOneTensor = matrices.Length < Config.Experts!.Count;
            foreach (MatrixSpec matrix in matrices)
            {
                MatrixInfo info = isOneTensor ? checkpoint.Describe(matrix.Module, 0) : checkpoint.Describe(matrix.Module);
                matrix.Check(checkpoint, info);
                (long rows, int columns) = (matrix.Outputs, matrix.IsTransposed ? matrix.Rows : matrix.Columns);
                // All experts in one tensor count as one matrix with the rows of all.
                rows = isOneTensor ? Math.Min(rows * Config.Experts.Count, int.MaxValue) : rows;
                weights.Add(new(Operator.Linear, info.TensorName, FormatOf(matrix, info), (int)rows, columns, info.HasGroupIndex, IsExpert: true));
            }
        }

        static WeightFormat FormatOf(MatrixSpec matrix, MatrixInfo info) => matrix.IsTransposed ? new WeightFormat(WeightEncoding.Float32) : info.Format;

        void Add(Operator @operator, MatrixSpec matrix)
        {
            MatrixInfo info = matrix.Slice is { } slice ? checkpoint.Describe(matrix.Module, slice) : checkpoint.Describe(matrix.Module);
            matrix.Check(checkpoint, info);
            weights.Add(new(@operator, info.TensorName, FormatOf(matrix, info), matrix.Outputs, matrix.IsTransposed ? info.Rows : info.Columns, info.HasGroupIndex));
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
