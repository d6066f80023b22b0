namespace Portable.Decoding.Architecture;

/// <summary>
/// Everything that makes one decoder differ from another, as data: the block is
/// x = embedding * scale; h = x + r post(Wo attention(pre(x))); x = h + r post(Wdown(act(Wgate pre(h)) * Wup pre(h)));
/// logits = cap(head(norm(x)) * scale), each norm and scale optional. Families differ only in the values here and in the
/// names of their tensors.
/// </summary>
internal sealed record DecoderConfig
{
    /// <summary>The family as the file calls it: model_type, or general.architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward block.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>Heads of keys and values.</summary>
    public required int KeyHeads { get; init; }

    /// <summary>Elements of a head.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Epsilon of every RMS norm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Longest context that the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The rotary embedding.</summary>
    public required RopeConfig Rope { get; init; }

    /// <summary>The rotary embedding of layers that say <see cref="LayerRope.Local"/>; null when there are none.</summary>
    public RopeConfig? LocalRope { get; init; }

    /// <summary>Which rotary embedding each layer uses; null when all use <see cref="Rope"/>.</summary>
    public IReadOnlyList<LayerRope>? LayerRopes { get; init; }

    /// <summary>The attention window of each layer; 0 means none.</summary>
    public required IReadOnlyList<int> Windows { get; init; }

    /// <summary>Whether the tokens of an image see the whole image, later tokens too.</summary>
    public bool SeesImagesWhole { get; init; }

    /// <summary>Whether each query head has a sink: a learned logit that joins the softmax without a value.</summary>
    public bool HasSinks { get; init; }

    /// <summary>Attention through latent vectors (MLA); null for keys and values projected from the hidden state.</summary>
    public LatentAttention? Latent { get; init; }

    /// <summary>Layers with a recurrent state instead of attention; null when all have attention.</summary>
    public DeltaConfig? Delta { get; init; }

    /// <summary>Whether what attention gives is multiplied by the sigmoid of a gate, projected as the queries are.</summary>
    public bool HasOutputGate { get; init; }

    /// <summary>Elements of a value head; 0 means those of a key head.</summary>
    public int ValueSize { get; init; }

    /// <summary>Multiplies the scores of attention; null means 1 / sqrt(head size).</summary>
    public double? AttentionScale { get; init; }

    /// <summary>The soft cap of the scores; 0 means none.</summary>
    public float AttentionSoftCap { get; init; }

    /// <summary>A scale of the queries that grows with their position; null means none.</summary>
    public PositionScale? QueryScale { get; init; }

    /// <summary>The gate's activation.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>The clamp of <see cref="ActivationKind.ClampedSwiglu"/>; else unused.</summary>
    public float ActivationLimit { get; init; }

    /// <summary>Whether q, k and v have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether the attention output has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether gate, up and down have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>How queries and keys are normed before rope.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Where the norms of a block stand.</summary>
    public NormPlacement Norms { get; init; }

    /// <summary>What is added to the stored weights of norms: 1 where a file stores them as differences from 1.</summary>
    public float NormOffset { get; init; }

    /// <summary>Multiplies the embedding.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>Multiplies what a branch adds to the residual stream.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>Multiplies the logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>The soft cap of the logits; 0 means none.</summary>
    public float LogitSoftCap { get; init; }

    /// <summary>The experts of layers that have them; null when none has.</summary>
    public ExpertConfig? Experts { get; init; }

    /// <summary>Whether the head is the embedding.</summary>
    public bool TiedHead { get; init; }

    /// <summary>Ids that end a generation, as the model's configuration names them.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>Whether norms stand before the branches of a block.</summary>
    public bool HasPreNorms => Norms != NormPlacement.After;

    /// <summary>Whether norms stand after the branches of a block.</summary>
    public bool HasPostNorms => Norms != NormPlacement.Before;

    /// <summary>Columns of the queries.</summary>
    public int QuerySize => QueryHeads * HeadSize;

    /// <summary>Columns of the keys, and of the values.</summary>
    public int KeySize => KeyHeads * HeadSize;

    /// <summary>Elements of a value head.</summary>
    public int ValueHeadSize => ValueSize == 0 ? HeadSize : ValueSize;

    /// <summary>Columns of the values that attention gives.</summary>
    public int AttendedSize => QueryHeads * ValueHeadSize;

    /// <summary>Columns of the stacked q, k and v.</summary>
    public int QkvSize => QuerySize + (2 * KeySize);

    /// <summary>The form of attention in a layer.</summary>
    public AttentionParameters Attention(int layer) =>
        new(QueryHeads, KeyHeads, HeadSize, (float)(AttentionScale ?? (1 / Math.Sqrt(HeadSize)))) {
            ValueSize = ValueSize, Window = Windows[layer], SoftCap = AttentionSoftCap,
        };

    /// <summary>The widest feed-forward block that every token of a layer goes through.</summary>
    public int WidestFeedForward => Math.Max(FeedForwardSize, Experts?.SharedSize ?? 0);

    /// <summary>Whether a layer keeps a recurrent state instead of keys and values.</summary>
    public bool IsDelta(int layer) => Delta is { } delta && delta.Layers[layer];

    /// <summary>Layers that keep keys and values.</summary>
    public int CacheLayers => Layers - (Delta?.IndexOf(Layers) ?? 0);

    /// <summary>The place of a layer among those that keep keys and values.</summary>
    public int CacheLayer(int layer) => layer - (Delta?.IndexOf(layer) ?? 0);

    /// <summary>Whether a layer's feed-forward is a mixture of experts.</summary>
    public bool HasExperts(int layer) => Experts is { } experts && experts.Layers[layer];

    /// <summary>The rotary embedding of a layer.</summary>
    public LayerRope RopeOf(int layer) => LayerRopes?[layer] ?? LayerRope.Global;
}

/// <summary>
/// Attention whose queries, and keys with values, are projected from small latent vectors, which are normed; one rotated key part is shared by
/// all heads. Heads of queries and keys begin with the part that rotates. Source: DeepSeek-V2 (2024), multi-head latent attention.
/// </summary>
/// <param name="QueryRank">Size of the queries' latent vector; 0 where queries are projected from the hidden state.</param>
/// <param name="KeyRank">Size of the latent vector of keys and values.</param>
/// <param name="RopeSize">Elements of a head that rotate.</param>
internal sealed record LatentAttention(int QueryRank, int KeyRank, int RopeSize)
{
    /// <summary>Columns of the first projection: the queries' latent vector (or the queries), that of keys and values, the shared key part.</summary>
    public int DownSize(DecoderConfig config) => (QueryRank == 0 ? config.QuerySize : QueryRank) + KeyRank + RopeSize;
}

/// <summary>Which rotary embedding a layer uses.</summary>
internal enum LayerRope
{
    /// <summary>The model's.</summary>
    Global,

    /// <summary>That of layers with a window.</summary>
    Local,

    /// <summary>None.</summary>
    None,
}

/// <summary>Where the norms of a block stand.</summary>
internal enum NormPlacement
{
    /// <summary>Before attention and before feed-forward.</summary>
    Before,

    /// <summary>After them, before what they give is added to the residual stream.</summary>
    After,

    /// <summary>Both.</summary>
    Both,
}

/// <summary>How queries and keys are normed.</summary>
internal enum QueryKeyNorm
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Each head by itself, with one weight for all heads.</summary>
    Heads,

    /// <summary>All heads of a token together.</summary>
    Row,
}

/// <summary>A scale 1 + beta ln(1 + floor(position / length)). Source: the attention temperature of Llama 4.</summary>
/// <param name="Beta">How fast it grows.</param>
/// <param name="Length">The length of its steps, in tokens.</param>
internal sealed record PositionScale(double Beta, int Length)
{
    /// <summary>The scale at a position.</summary>
    public float At(int position) => (float)(1 + (Beta * Math.Log(1 + Math.Floor((double)position / Length))));
}
