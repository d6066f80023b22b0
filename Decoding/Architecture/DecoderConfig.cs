namespace Portable.Decoding.Architecture;

/// <summary>
/// Everything that makes one decoder differ from another, as data: the block is
/// h = x + Wo attention(norm(x)); x = h + Wdown(act(Wgate norm(h)) * Wup norm(h)), logits = head(norm(x)).
/// Families differ only in the values here and in the names of their tensors.
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

    /// <summary>The attention window of each layer; 0 means none.</summary>
    public required IReadOnlyList<int> Windows { get; init; }

    /// <summary>The gate's activation.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>Whether q, k and v have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether the attention output has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether gate, up and down have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether query and key heads are normed before rope.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Whether the head is the embedding.</summary>
    public bool TiedHead { get; init; }

    /// <summary>Ids that end a generation, as the model's configuration names them.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>The form of attention in a layer.</summary>
    public AttentionParameters Attention(int layer) =>
        new(QueryHeads, KeyHeads, HeadSize, (float)(1 / Math.Sqrt(HeadSize))) { Window = Windows[layer] };

    /// <summary>Columns of the stacked q, k and v.</summary>
    public int QkvSize => (QueryHeads + (2 * KeyHeads)) * HeadSize;
}
