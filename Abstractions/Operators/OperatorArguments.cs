namespace Portable;

/// <summary>A function applied to each element. Sources: the papers named; coefficients as in PyTorch.</summary>
public enum ActivationKind
{
    /// <summary>x * sigmoid(x).</summary>
    Silu,

    /// <summary>x * Phi(x), by erf.</summary>
    Gelu,

    /// <summary>GELU by its tanh approximation, 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).</summary>
    GeluTanh,

    /// <summary>x * sigmoid(1.702 x).</summary>
    QuickGelu,

    /// <summary>1 / (1 + exp(-x)).</summary>
    Sigmoid,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>c * tanh(x / c), c the operator's parameter.</summary>
    SoftCap,

    /// <summary>
    /// Only gated: g sigmoid(1.702 g) (u + 1), where g is the gate, at most c, and u is up, from -c to c; c is the operator's
    /// parameter. Source: gpt-oss's published model code.
    /// </summary>
    ClampedSwiglu,
}

/// <summary>Which elements of a head rotate together.</summary>
public enum RopeStyle
{
    /// <summary>Element j with j + half of the rotated part (rotate-half, NEOX).</summary>
    Halves,

    /// <summary>Element 2j with 2j + 1 (interleaved, NORM).</summary>
    Pairs,
}

/// <summary>Optional parts of attention, asked of the capabilities.</summary>
[Flags]
public enum AttentionFeatures
{
    /// <summary>Plain scaled dot-product attention.</summary>
    None = 0,

    /// <summary>A query sees only the last W keys.</summary>
    Window = 1,

    /// <summary>Scores s become c * tanh(s / c).</summary>
    SoftCap = 2,

    /// <summary>A learned logit per head joins the softmax without a value.</summary>
    Sinks = 4,

    /// <summary>Inside a span, such as an image, queries see later keys too.</summary>
    BidirectionalSpans = 8,

    /// <summary>Values have another size than keys.</summary>
    ValueSize = 16,
}

/// <summary>
/// Frequencies of a rotary embedding: angle[t, j] = positions[axis[j], t] * inverse[j]; cosine and sine are multiplied
/// by <see cref="Scale"/>.
/// </summary>
/// <param name="InverseFrequencies">float32 [1, half].</param>
/// <param name="Axes">int32 [1, half]: which row of the positions each frequency reads.</param>
/// <param name="Scale">The attention factor of scaled ropes, else 1.</param>
public readonly record struct RopeFrequencies(TensorView InverseFrequencies, TensorView Axes, float Scale = 1);

/// <summary>Heads and the form of attention.</summary>
/// <param name="QueryHeads">Heads of the queries; query head h reads key head h / (QueryHeads / KeyHeads).</param>
/// <param name="KeyHeads">Heads of keys and values.</param>
/// <param name="HeadSize">Elements of a query or key head.</param>
/// <param name="Scale">Multiplies the scores.</param>
public readonly record struct AttentionParameters(int QueryHeads, int KeyHeads, int HeadSize, float Scale)
{
    /// <summary>Elements of a value head; 0 means <see cref="HeadSize"/>.</summary>
    public int ValueSize { get; init; }

    /// <summary>A query at position p sees keys p - Window + 1 … p; 0 means all up to p.</summary>
    public int Window { get; init; }

    /// <summary>The soft cap of the scores; 0 means none.</summary>
    public float SoftCap { get; init; }

    /// <summary>float32 [1, QueryHeads]: the sink logit of each head; null means none.</summary>
    public TensorView? Sinks { get; init; }

    /// <summary>Elements of a value head.</summary>
    public int ValueHeadSize => ValueSize == 0 ? HeadSize : ValueSize;

    /// <summary>The optional parts used.</summary>
    public AttentionFeatures Features =>
        (Window > 0 ? AttentionFeatures.Window : 0) | (SoftCap > 0 ? AttentionFeatures.SoftCap : 0)
        | (Sinks is null ? 0 : AttentionFeatures.Sinks)
        | (ValueHeadSize != HeadSize ? AttentionFeatures.ValueSize : 0);
}

/// <summary>
/// A packed batch over a paged KV cache. The tokens of sequence s are rows QueryOffsets[s] … QueryOffsets[s + 1] - 1 of
/// the packed activations and the last of its ContextLengths[s] tokens; the key of position p lies in page
/// PageTable[s, p / page size] at p % page size. The three bounds are what the launch is made for: the values on the
/// device may be smaller (a captured step is replayed for any content within them).
/// </summary>
/// <param name="QueryOffsets">int32 [1, sequences + 1].</param>
/// <param name="ContextLengths">int32 [1, sequences]: tokens of each sequence, those of this step included.</param>
/// <param name="PageTable">int32 [sequences, pages]: page numbers of each sequence.</param>
/// <param name="Sequences">Number of sequences.</param>
/// <param name="MaxQueryLength">Upper bound of the rows of one sequence.</param>
/// <param name="MaxContextLength">Upper bound of the context lengths.</param>
public readonly record struct PagedBatch(
    TensorView QueryOffsets, TensorView ContextLengths, TensorView PageTable, int Sequences, int MaxQueryLength, int MaxContextLength)
{
    /// <summary>
    /// int32 [1, tokens]: for each packed row the position after the last key that it sees, where spans are seen in
    /// both directions; null means causal (its own position + 1).
    /// </summary>
    public TensorView? VisibleEnds { get; init; }
}

/// <summary>Segments of a packed batch: segment s is rows Offsets[s] … Offsets[s + 1] - 1.</summary>
/// <param name="Offsets">int32 [1, segments + 1].</param>
/// <param name="Count">Number of segments.</param>
/// <param name="MaxLength">Upper bound of the rows of one segment.</param>
public readonly record struct SegmentBatch(TensorView Offsets, int Count, int MaxLength);

/// <summary>Rows sorted by expert: expert e takes rows Offsets[e] … Offsets[e + 1] - 1.</summary>
/// <param name="Offsets">int32 [1, experts + 1].</param>
public readonly record struct ExpertGroups(TensorView Offsets);

/// <summary>Where and how queries and keys are rotated.</summary>
/// <param name="Angles">float32 [tokens, 2 * half], made by <see cref="CommandStream.RopeAngles"/>.</param>
/// <param name="Style">Which elements rotate together.</param>
public readonly record struct RopeArguments(TensorView Angles, RopeStyle Style);

/// <summary>Arguments of the fused start of an attention block.</summary>
public readonly record struct AttentionInputArguments
{
    /// <summary>[tokens, hidden]: the residual stream, read.</summary>
    public required TensorView Hidden { get; init; }

    /// <summary>float32 [1, hidden].</summary>
    public required TensorView NormWeight { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public required float Epsilon { get; init; }

    /// <summary>q, k and v stacked along the outputs.</summary>
    public required DeviceWeight Qkv { get; init; }

    /// <summary>float32 [1, q + k + v], or null.</summary>
    public TensorView? Bias { get; init; }

    /// <summary>float32 [1, head size]: norm of each query head, or null.</summary>
    public TensorView? QueryNorm { get; init; }

    /// <summary>float32 [1, head size]: norm of each key head, or null.</summary>
    public TensorView? KeyNorm { get; init; }

    /// <summary>The rotation; null for a layer without rope.</summary>
    public RopeArguments? Rope { get; init; }

    /// <summary>Heads and sizes.</summary>
    public required AttentionParameters Attention { get; init; }

    /// <summary>The cache that keys and values go to.</summary>
    public required KvCache Cache { get; init; }

    /// <summary>The layer in the cache.</summary>
    public required int Layer { get; init; }

    /// <summary>int32 [1, tokens]: page * page size + place of each token.</summary>
    public required TensorView Slots { get; init; }

    /// <summary>[tokens, hidden]: scratch.</summary>
    public required TensorView Normed { get; init; }

    /// <summary>[tokens, q + k + v]: receives q, normed and rotated, in its first columns; the rest is scratch.</summary>
    public required TensorView Output { get; init; }
}

/// <summary>Arguments of the fused start of a gated feed-forward block.</summary>
public readonly record struct FeedForwardInputArguments
{
    /// <summary>[tokens, hidden]: the residual stream, read.</summary>
    public required TensorView Hidden { get; init; }

    /// <summary>float32 [1, hidden].</summary>
    public required TensorView NormWeight { get; init; }

    /// <summary>Epsilon of the norm.</summary>
    public required float Epsilon { get; init; }

    /// <summary>Gate and up stacked along the outputs, each [width, hidden].</summary>
    public required DeviceWeight GateUp { get; init; }

    /// <summary>float32 [1, 2 * width], or null.</summary>
    public TensorView? Bias { get; init; }

    /// <summary>The activation of the gate.</summary>
    public required ActivationKind Activation { get; init; }

    /// <summary>[tokens, hidden]: scratch.</summary>
    public required TensorView Normed { get; init; }

    /// <summary>[tokens, 2 * width]: scratch.</summary>
    public required TensorView Projected { get; init; }

    /// <summary>[tokens, width]: receives act(gate) * up.</summary>
    public required TensorView Output { get; init; }
}

/// <summary>Heads and gates of <see cref="CommandStream.GatedDelta"/>.</summary>
/// <param name="KeyHeads">Heads of queries and keys.</param>
/// <param name="ValueHeads">Heads of values and states, a multiple.</param>
/// <param name="KeySize">Elements of a query or key head.</param>
/// <param name="ValueSize">Elements of a value head.</param>
/// <param name="Rates">float32 [1, value heads]: negative rates of decay.</param>
/// <param name="Biases">float32 [1, value heads]: added to the decay before softplus.</param>
public readonly record struct GatedDeltaRule(int KeyHeads, int ValueHeads, int KeySize, int ValueSize, TensorView Rates, TensorView Biases)
{
    /// <summary>Whether value head h reads key head h % KeyHeads; else h / (ValueHeads / KeyHeads).</summary>
    public bool AreKeyHeadsTiled { get; init; }

    /// <summary>Elements of all states of a segment.</summary>
    public int StateSize => checked(ValueHeads * KeySize * ValueSize);

    /// <summary>The key head that a value head reads.</summary>
    public int KeyHeadOf(int valueHead) => AreKeyHeadsTiled ? valueHead % KeyHeads : valueHead / (ValueHeads / KeyHeads);
}
