using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// The buffers that one step of a decoder reads and writes, for up to a number of packed tokens. Allocated once; a
/// step uses their first rows. Owns them.
/// </summary>
internal sealed class DecoderWorkspace : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public DecoderWorkspace(Device device, DecoderConfig config, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence)
        : this(config, device.Capabilities.ActivationType, maxTokens, maxSequences, maxLogitRows, pagesPerSequence,
            bytes => device.Allocate(bytes, MemoryKind.Workspace), device.AllocateHost)
    {
    }

    /// <summary>Lays the buffers out, each made by <paramref name="allocate"/>; where that gives none the views stay empty.</summary>
    private DecoderWorkspace(
        DecoderConfig config, ElementType type, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence,
        Func<long, DeviceBuffer?> allocate, Func<long, HostBuffer?> allocateHost)
    {
        MaxTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxLogitRows = maxLogitRows;
        try
        {
            Ids = Allocate(ElementType.Int32, 1, maxTokens);
            Positions = Allocate(ElementType.Int32, 1, maxTokens * config.Rope.Axes);
            Slots = Allocate(ElementType.Int32, 1, maxTokens);
            QueryOffsets = Allocate(ElementType.Int32, 1, maxSequences + 1);
            ContextLengths = Allocate(ElementType.Int32, 1, maxSequences);
            PageTable = Allocate(ElementType.Int32, maxSequences, pagesPerSequence);
            LogitRows = Allocate(ElementType.Int32, 1, maxLogitRows);
            MediaRows = Allocate(ElementType.Int32, 1, maxTokens);
            MediaSources = Allocate(ElementType.Int32, 1, maxTokens);
            MediaFeatures = Allocate(type, maxTokens, config.HiddenSize);
            Hidden = Allocate(type, maxTokens, config.HiddenSize);
            Normed = Allocate(type, maxTokens, config.HiddenSize);
            Qkv = Allocate(type, maxTokens, config.QkvSize);
            Attended = Allocate(type, maxTokens, config.AttendedSize);
            Projected = Allocate(type, maxTokens, 2 * config.WidestFeedForward);
            Activated = Allocate(type, maxTokens, config.WidestFeedForward);
            if (config.SeesImagesWhole)
                VisibleEnds = Allocate(ElementType.Int32, 1, maxTokens);
            Rope = AllocateRope(config.Rope);
            LocalRope = config.LocalRope is { } local ? AllocateRope(local) : null;
            if (config.QueryScale is not null)
            {
                QueryScales = Allocate(ElementType.Float32, maxTokens, config.Rope.RotaryDimensions);
                QueryAngles = Allocate(ElementType.Float32, maxTokens, config.Rope.RotaryDimensions);
            }

            if (config.HasOutputGate)
                OutputGate = Allocate(type, maxTokens, config.AttendedSize);
            if (config.Delta is { } delta)
            {
                int layers = delta.IndexOf(config.Layers);
                Delta = new DeltaWorkspace
                {
                    Input = Allocate(type, maxTokens, delta.InputColumns),
                    Mixed = Allocate(type, maxTokens, delta.MixedColumns),
                    Gates = Allocate(ElementType.Float32, maxTokens, 2 * delta.ValueHeads),
                    Output = Allocate(type, maxTokens, delta.ValueColumns),
                    Histories = Allocate(ElementType.Float32, checked(layers * maxSequences), delta.HistorySize),
                    States = Allocate(ElementType.Float32, checked(layers * maxSequences), delta.StateSize),
                };
            }

            if (config.Latent is { } latent)
            {
                Latent = new LatentWorkspace
                {
                    Down = Allocate(type, maxTokens, latent.DownSize(config)),
                    KeyParts = Allocate(type, maxTokens, config.QueryHeads * (config.HeadSize - latent.RopeSize)),
                    Keys = Allocate(type, maxTokens, config.KeySize),
                    Values = Allocate(type, maxTokens, config.AttendedSize),
                    HeadRows = Allocate(ElementType.Int32, 1, checked(maxTokens * config.QueryHeads)),
                };
            }

            if (config.Experts is { } experts)
            {
                int pairs = checked(maxTokens * experts.PerToken);
                Experts = new ExpertWorkspace
                {
                    Router = new ExpertRouter(experts, maxTokens),
                    RouterLogits = Allocate(ElementType.Float32, maxTokens, experts.Count),
                    Offsets = Allocate(ElementType.Int32, 1, experts.Count + 1),
                    Rows = Allocate(ElementType.Int32, 1, pairs),
                    Places = Allocate(ElementType.Int32, 1, pairs),
                    Weights = Allocate(ElementType.Float32, maxTokens, experts.PerToken),
                    Sorted = Allocate(type, pairs, config.HiddenSize),
                    Gate = Allocate(type, pairs, experts.FeedForwardSize),
                    Up = Allocate(type, pairs, experts.FeedForwardSize),
                    Branch = Allocate(type, maxTokens, config.HiddenSize),
                    SharedGates = experts.HasSharedGate ? Allocate(ElementType.Float32, maxTokens, 1) : default,
                    PairExperts = experts.HasBiases ? Allocate(ElementType.Int32, 1, pairs) : default,
                    Biases = experts.HasBiases ? Allocate(type, pairs, Math.Max(experts.FeedForwardSize, config.HiddenSize)) : default,
                    HostLogits = allocateHost(4L * maxTokens * experts.Count)!,
                };
            }

            Last = Allocate(type, maxLogitRows, config.HiddenSize);
            Logits = Allocate(ElementType.Float32, maxLogitRows, config.VocabularySize);
            BestIds = Allocate(ElementType.Int32, maxLogitRows, 1);
            BestLogits = Allocate(ElementType.Float32, maxLogitRows, 1);
        }
        catch
        {
            Dispose();
            throw;
        }

        RopeTable AllocateRope(RopeConfig rope) => new(
            new RopeFrequencies(
                Allocate(ElementType.Float32, 1, rope.RotaryDimensions / 2), Allocate(ElementType.Int32, 1, rope.RotaryDimensions / 2),
                (float)rope.Scaling.AttentionFactor),
            Allocate(ElementType.Float32, maxTokens, rope.RotaryDimensions));

        TensorView Allocate(ElementType element, int rows, int columns)
        {
            if (allocate(Math.Max(1, (long)rows * columns * element.Size())) is not { } buffer)
                return default;
            _buffers.Add(buffer);
            return buffer.View(element, rows, columns);
        }
    }

    public int MaxTokens { get; }

    public int MaxSequences { get; }

    public int MaxLogitRows { get; }

    public TensorView Ids { get; }

    public TensorView Positions { get; }

    public TensorView Slots { get; }

    public TensorView QueryOffsets { get; }

    public TensorView ContextLengths { get; }

    public TensorView PageTable { get; }

    public TensorView LogitRows { get; }

    public TensorView MediaRows { get; }

    public TensorView MediaSources { get; }

    public TensorView MediaFeatures { get; }

    public TensorView Hidden { get; }

    public TensorView Normed { get; }

    public TensorView Qkv { get; }

    public TensorView Attended { get; }

    public TensorView Projected { get; }

    public TensorView Activated { get; }

    /// <summary>int32 [1, tokens]: the position after the last that each token sees; null where all see only earlier ones.</summary>
    public TensorView? VisibleEnds { get; }

    public RopeTable Rope { get; }

    public RopeTable? LocalRope { get; }

    /// <summary>The scale of each token's queries, as often as it has angles; null without one.</summary>
    public TensorView? QueryScales { get; }

    /// <summary>The angles of <see cref="Rope"/> times the scales.</summary>
    public TensorView? QueryAngles { get; }

    /// <summary>[tokens, heads * value size]: the gate of what attention gives; empty where it is not gated.</summary>
    public TensorView OutputGate { get; }

    /// <summary>What layers with a recurrent state need, their states too; null without them.</summary>
    public DeltaWorkspace? Delta { get; }

    /// <summary>What latent attention needs; null without it.</summary>
    public LatentWorkspace? Latent { get; }

    /// <summary>What layers with experts need; null without them.</summary>
    public ExpertWorkspace? Experts { get; }

    public TensorView Last { get; }

    public TensorView Logits { get; }

    public TensorView BestIds { get; }

    public TensorView BestLogits { get; }

    /// <summary>Bytes that a workspace would take, for planning.</summary>
    public static long Bytes(Device device, DecoderConfig config, int maxTokens, int maxSequences, int maxLogitRows, int pagesPerSequence)
    {
        long total = 0;
        _ = new DecoderWorkspace(config, device.Capabilities.ActivationType, maxTokens, maxSequences, maxLogitRows, pagesPerSequence, bytes =>
        {
            total += device.BufferBytes(bytes);
            return null;
        }, static _ => null);
        return total;
    }

    public void Dispose()
    {
        Experts?.HostLogits.Dispose();
        foreach (DeviceBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
    }
}

/// <summary>A rotary embedding on a device: its frequencies, for the length that the sequence may reach, and a step's angles.</summary>
/// <param name="Frequencies">Uploaded by the session.</param>
/// <param name="Angles">float32 [tokens, rotating elements].</param>
internal sealed record RopeTable(RopeFrequencies Frequencies, TensorView Angles);

/// <summary>What a step needs to route its tokens through experts; buffers are the workspace's.</summary>
internal sealed record ExpertWorkspace
{
    public required ExpertRouter Router { get; init; }

    /// <summary>float32 [tokens, experts].</summary>
    public required TensorView RouterLogits { get; init; }

    public required HostBuffer HostLogits { get; init; }

    /// <summary>int32 [1, experts + 1].</summary>
    public required TensorView Offsets { get; init; }

    /// <summary>int32 [1, pairs]: the token of each pair of token and expert, sorted by expert.</summary>
    public required TensorView Rows { get; init; }

    /// <summary>int32 [1, pairs]: choice by choice, the pair of each token.</summary>
    public required TensorView Places { get; init; }

    /// <summary>float32 [tokens, choices].</summary>
    public required TensorView Weights { get; init; }

    /// <summary>[pairs, hidden]: inputs, then outputs of the experts.</summary>
    public required TensorView Sorted { get; init; }

    /// <summary>[pairs, expert width].</summary>
    public required TensorView Gate { get; init; }

    /// <summary>[pairs, expert width].</summary>
    public required TensorView Up { get; init; }

    /// <summary>float32 [tokens, 1]: the gate of the shared expert; empty where it is not gated.</summary>
    public TensorView SharedGates { get; init; }

    /// <summary>int32 [1, pairs]: the expert of each pair; empty where experts have no biases.</summary>
    public TensorView PairExperts { get; init; }

    /// <summary>[pairs, width or hidden]: the bias of each pair; empty where experts have none.</summary>
    public TensorView Biases { get; init; }

    /// <summary>[tokens, hidden]: the weighted sum.</summary>
    public required TensorView Branch { get; init; }
}

/// <summary>What latent attention needs to make keys and values of a step; buffers are the workspace's.</summary>
internal sealed record LatentWorkspace
{
    /// <summary>[tokens, see <see cref="LatentAttention.DownSize"/>].</summary>
    public required TensorView Down { get; init; }

    /// <summary>[tokens, heads * part that does not rotate].</summary>
    public required TensorView KeyParts { get; init; }

    /// <summary>[tokens, heads * head size].</summary>
    public required TensorView Keys { get; init; }

    /// <summary>[tokens, heads * value size].</summary>
    public required TensorView Values { get; init; }

    /// <summary>int32 [1, tokens * heads]: the token of each head; uploaded once by the session.</summary>
    public required TensorView HeadRows { get; init; }
}

/// <summary>What layers with a recurrent state need in a step, and their states; buffers are the workspace's.</summary>
internal sealed record DeltaWorkspace
{
    /// <summary>[tokens, q + k + v + gate].</summary>
    public required TensorView Input { get; init; }

    /// <summary>[tokens, q + k + v] after the convolution.</summary>
    public required TensorView Mixed { get; init; }

    /// <summary>float32 [tokens, 2 * value heads]: beta, decay.</summary>
    public required TensorView Gates { get; init; }

    /// <summary>[tokens, value columns].</summary>
    public required TensorView Output { get; init; }

    /// <summary>float32 [layers * sequences, see <see cref="DeltaConfig.HistorySize"/>]: what the convolutions saw last.</summary>
    public required TensorView Histories { get; init; }

    /// <summary>float32 [layers * sequences, see <see cref="DeltaConfig.StateSize"/>].</summary>
    public required TensorView States { get; init; }
}
