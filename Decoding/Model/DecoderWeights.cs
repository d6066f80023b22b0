using Portable.Checkpoints;
using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>A decoder's weights on a device. Owns them.</summary>
internal sealed class DecoderWeights : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    private DecoderWeights()
    {
    }

    public DeviceWeight Embedding { get; private set; } = null!;

    public DeviceWeight Head { get; private set; } = null!;

    public TensorView FinalNorm { get; private set; }

    /// <summary>
    /// float32 [1, key size], all 1 / key size and all 1 / sqrt(key size): by them the RMS norm divides queries of the delta rule by their length
    /// and by sqrt(key size), and keys by their length.
    /// </summary>
    public TensorView DeltaQueryNorm { get; private set; }

    public TensorView DeltaKeyNorm { get; private set; }

    public IReadOnlyList<Layer> Layers { get; private set; } = [];

    /// <summary>
    /// Reads, checks and uploads every tensor, one after another. On an error, or when cancelled, everything uploaded so
    /// far is freed.
    /// </summary>
    public static DecoderWeights Load(
        Checkpoint checkpoint, DecoderDescription description, WeightUploader uploader, CancellationToken cancellation)
    {
        var weights = new DecoderWeights();
        try
        {
            weights.Fill(checkpoint, description, uploader, cancellation);
            return weights;
        }
        catch
        {
            // Uploads under way must end before their memory goes; on a device that fails again they never will.
            try
            {
                uploader.Stream.Synchronize();
            }
            catch (PortableException)
            {
            }

            weights.Dispose();
            throw;
        }
    }

    /// <summary>The vectors and tables that <see cref="Load"/> uploads, each into a buffer of its own, by their bytes.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="activation">The device's activation type.</param>
    public static IEnumerable<long> VectorBytes(DecoderConfig config, ElementType activation)
    {
        foreach (int length in VectorLengths(config))
            yield return 4L * length;
        if (config.Experts is not { HasBiases: true } experts)
            yield break;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            if (!config.HasExperts(layer))
                continue;
            yield return (long)experts.Count * experts.FeedForwardSize * activation.Size();
            yield return (long)experts.Count * experts.FeedForwardSize * activation.Size();
            yield return (long)experts.Count * config.HiddenSize * activation.Size();
        }
    }

    private static IEnumerable<int> VectorLengths(DecoderConfig config)
    {
        yield return config.HiddenSize;
        if (config.Delta is { } any)
        {
            yield return any.KeySize;
            yield return any.KeySize;
        }

        for (int layer = 0; layer < config.Layers; layer++)
        {
            int norms = (config.HasPreNorms ? 2 : 0) + (config.HasPostNorms ? 2 : 0);
            for (int i = 0; i < norms; i++)
                yield return config.HiddenSize;
            if (config.IsDelta(layer))
            {
                DeltaConfig delta = config.Delta!;
                yield return delta.Taps * delta.MixedColumns;
                yield return delta.ValueHeads;
                yield return delta.ValueHeads;
                yield return delta.ValueSize;
            }
            else if (config.QkvBias)
            {
                yield return config.QkvSize;
            }

            if (config.QueryKeyNorm != QueryKeyNorm.None && !config.IsDelta(layer))
            {
                yield return config.QueryKeyNorm == QueryKeyNorm.Row ? config.QuerySize : config.HeadSize;
                yield return config.QueryKeyNorm == QueryKeyNorm.Row ? config.KeySize : config.HeadSize;
            }

            if (config.Latent is { } latent)
            {
                yield return latent.KeyRank;
                if (latent.QueryRank > 0)
                    yield return latent.QueryRank;
            }

            if (config.HasSinks)
                yield return config.QueryHeads;
            if (config.HasExperts(layer) && config.Experts!.HasBiases)
                yield return config.Experts.Count;
            if (config.OutputBias)
                yield return config.HiddenSize;
            int width = config.HasExperts(layer) ? config.Experts!.SharedSize : config.FeedForwardSize;
            if (config.FeedForwardBias && width > 0)
            {
                yield return 2 * width;
                yield return config.HiddenSize;
            }
        }
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    private void Fill(Checkpoint checkpoint, DecoderDescription description, WeightUploader uploader, CancellationToken cancellation)
    {
        DecoderConfig config = description.Config;
        DecoderTensors names = description.Tensors;
        int hidden = config.HiddenSize;

        Embedding = Own(uploader.Matrix(cancellation, new MatrixSpec(names.Embedding, config.VocabularySize, hidden)));
        Head = description.RoundedHead is { } rounded ? Own(uploader.Rounded(cancellation, description.Head, rounded))
            : config.TiedHead ? Embedding
            : Own(uploader.Matrix(cancellation, description.Head));
        // A scale of the logits is one of the head's input, and so of the norm before it.
        FinalNorm = OwnVector(uploader.Vector(names.FinalNorm + ".weight", hidden, config.NormOffset, config.LogitScale));

        if (config.Delta is { } any)
        {
            float[] one = new float[any.KeySize];
            one.AsSpan().Fill(1f / any.KeySize);
            DeltaQueryNorm = OwnVector(uploader.Floats(one));
            one.AsSpan().Fill(1 / MathF.Sqrt(any.KeySize));
            DeltaKeyNorm = OwnVector(uploader.Floats(one));
        }

        var layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            bool isDelta = config.IsDelta(i), hasQkv = !isDelta && config.Latent is null, hasNorms = !isDelta && config.QueryKeyNorm != QueryKeyNorm.None;
            MatrixSpec[] qkv = hasQkv ? description.Qkv(i) : [];
            MatrixSpec output = description.Output(i);
            (int queryNorm, int keyNorm) = config.QueryKeyNorm == QueryKeyNorm.Row
                ? (config.QuerySize, config.KeySize)
                : (config.HeadSize, config.HeadSize);
            layers[i] = new Layer
            {
                AttentionNorm = Norm(names.AttentionNorm, hidden, config.HasPreNorms),
                Qkv = hasQkv ? Own(uploader.Matrix(cancellation, qkv)) : null,
                Delta = isDelta ? Delta(config.Delta!, names.Delta!) : null,
                OutputGate = !isDelta && config.HasOutputGate ? Own(uploader.Matrix(cancellation, description.OutputGate(i))) : null,
                Latent = config.Latent is { } latent ? Latent(latent) : null,
                Sinks = config.HasSinks ? OwnVector(uploader.Vector(Name(names.Sinks!), config.QueryHeads)) : null,
                QkvBias = Bias(hasQkv && config.QkvBias, qkv),
                QueryNorm = Norm(names.QueryNorm, queryNorm, hasNorms),
                KeyNorm = Norm(names.KeyNorm, keyNorm, hasNorms),
                Output = Own(uploader.Matrix(cancellation, output)),
                OutputBias = Bias(config.OutputBias, output),
                AttentionPostNorm = Norm(names.AttentionPostNorm, hidden, config.HasPostNorms),
                FeedForwardNorm = Norm(names.FeedForwardNorm, hidden, config.HasPreNorms),
                FeedForward = config.HasExperts(i) ? null : Block(description.GateUp(i), description.Down(i)),
                Experts = config.HasExperts(i) ? Mixture() : null,
                FeedForwardPostNorm = Norm(names.FeedForwardPostNorm, hidden, config.HasPostNorms),
            };

            string Name(string pattern) => DecoderTensors.InLayer(pattern, i);

            TensorView? Norm(string pattern, int length, bool exists) =>
                exists ? OwnVector(uploader.Vector(Name(pattern) + ".weight", length, config.NormOffset)) : null;

            FeedForward Block(MatrixSpec[] gateUp, MatrixSpec down) => new()
            {
                GateUp = Own(uploader.Matrix(cancellation, gateUp)),
                GateUpBias = Bias(config.FeedForwardBias, gateUp),
                Down = Own(uploader.Matrix(cancellation, down)),
                DownBias = Bias(config.FeedForwardBias, down),
            };

            DeltaBlock Delta(DeltaConfig delta, DeltaTensors own)
            {
                float[] stored = checkpoint.ReadVector(Name(own.Taps), delta.Taps * delta.MixedColumns), taps = new float[stored.Length];
                for (int k = 0; k < delta.Taps; k++)
                {
                    for (int c = 0; c < delta.MixedColumns; c++)
                        taps[(k * delta.MixedColumns) + c] = stored[(c * delta.Taps) + k];
                }

                float[] rates = checkpoint.ReadVector(Name(own.Rates), delta.ValueHeads);
                if (own.AreRatesLogarithms)
                    rates = [.. rates.Select(rate => -MathF.Exp(rate))];
                return new()
                {
                    Input = Own(uploader.Matrix(cancellation, description.DeltaInput(i))),
                    Gates = Own(uploader.Matrix(cancellation, description.DeltaGates(i))),
                    Taps = OwnVector(uploader.Floats(taps)).Reshape(delta.Taps, delta.MixedColumns),
                    Rates = OwnVector(uploader.Floats(rates)),
                    Biases = OwnVector(uploader.Vector(Name(own.Biases), delta.ValueHeads)),
                    Norm = OwnVector(uploader.Vector(Name(own.Norm) + ".weight", delta.ValueSize)),
                };
            }

            LatentInput Latent(LatentAttention latent) => new()
            {
                Down = Own(uploader.Matrix(cancellation, description.LatentDown(i))),
                QueryNorm = Norm(names.LatentQueryNorm, latent.QueryRank, latent.QueryRank > 0),
                QueryUp = latent.QueryRank > 0 ? Own(uploader.Matrix(cancellation, description.LatentQueryUp(i))) : null,
                KeyNorm = Norm(names.LatentKeyNorm, latent.KeyRank, true)!.Value,
                KeyUp = Own(uploader.Matrix(cancellation, description.LatentUp(i, isKey: true))),
                ValueUp = Own(uploader.Matrix(cancellation, description.LatentUp(i, isKey: false))),
            };

            Experts Mixture()
            {
                ExpertConfig experts = config.Experts!;
                (TensorView? gateBias, TensorView? upBias) = experts.HasBiases ? GateUpBiases(experts) : (null, null);
                return new()
                {
                    SharedGate = experts.HasSharedGate ? Own(uploader.Matrix(cancellation, new MatrixSpec(Name(names.SharedOutputGate), 1, hidden))) : null,
                    RouterLinearBias = experts.HasBiases ? OwnVector(uploader.Vector(Name(names.Router) + ".bias", experts.Count)) : null,
                    GateBias = gateBias,
                    UpBias = upBias,
                    DownBias = experts.HasBiases
                        ? OwnVector(uploader.Table(checkpoint.ReadVector(Name(names.ExpertDownBias!), experts.Count * hidden), experts.Count, hidden))
                        : null,
                    Router = Own(uploader.Matrix(cancellation, new MatrixSpec(Name(names.Router), experts.Count, hidden))),
                    RouterBias = experts.HasBias ? checkpoint.ReadVector(Name(names.RouterBias), experts.Count) : [],
                    Gate = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertGate, i, isDown: false))),
                    Up = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertUp, i, isDown: false))),
                    Down = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertDown, i, isDown: true))),
                    Shared = experts.SharedSize == 0 ? null : Block(description.SharedGateUp(i), description.SharedDown(i)),
                };
            }

            (TensorView? Gate, TensorView? Up) GateUpBiases(ExpertConfig experts)
            {
                int width = experts.FeedForwardSize;
                float[] both = checkpoint.ReadVector(Name(names.ExpertGateUpBias!), checked(2 * experts.Count * width));
                float[] gate = new float[both.Length / 2], up = new float[both.Length / 2];
                for (int j = 0; j < gate.Length; j++)
                    (gate[j], up[j]) = (both[2 * j], both[(2 * j) + 1]);
                return (OwnVector(uploader.Table(gate, experts.Count, width)), OwnVector(uploader.Table(up, experts.Count, width)));
            }

            TensorView? Bias(bool exists, params ReadOnlySpan<MatrixSpec> parts) => exists ? OwnVector(uploader.Biases(parts)) : null;
        }

        Layers = layers;
        uploader.Stream.Synchronize();
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }

    private TensorView OwnVector(TensorView view)
    {
        _owned.Add(view.Buffer);
        return view;
    }

    /// <summary>The weights of one block.</summary>
    public sealed record Layer
    {
        public TensorView? AttentionNorm { get; init; }

        /// <summary>Null where attention is latent.</summary>
        public DeviceWeight? Qkv { get; init; }

        /// <summary>Null where the layer has attention.</summary>
        public DeltaBlock? Delta { get; init; }

        /// <summary>The gate of what attention gives, in families that gate it.</summary>
        public DeviceWeight? OutputGate { get; init; }

        /// <summary>Null where attention is not latent.</summary>
        public LatentInput? Latent { get; init; }

        public TensorView? Sinks { get; init; }

        public TensorView? QkvBias { get; init; }

        public TensorView? QueryNorm { get; init; }

        public TensorView? KeyNorm { get; init; }

        public required DeviceWeight Output { get; init; }

        public TensorView? OutputBias { get; init; }

        public TensorView? AttentionPostNorm { get; init; }

        public TensorView? FeedForwardNorm { get; init; }

        /// <summary>Null in a layer with experts.</summary>
        public FeedForward? FeedForward { get; init; }

        /// <summary>Null in a layer without experts.</summary>
        public Experts? Experts { get; init; }

        public TensorView? FeedForwardPostNorm { get; init; }
    }

    /// <summary>What a layer with a recurrent state has instead of attention's input.</summary>
    public sealed record DeltaBlock
    {
        /// <summary>q, k, v and the gate of the output, stacked.</summary>
        public required DeviceWeight Input { get; init; }

        /// <summary>beta and decay, stacked.</summary>
        public required DeviceWeight Gates { get; init; }

        /// <summary>float32 [taps, q + k + v].</summary>
        public required TensorView Taps { get; init; }

        public required TensorView Rates { get; init; }

        public required TensorView Biases { get; init; }

        public required TensorView Norm { get; init; }
    }

    /// <summary>The projections of latent attention.</summary>
    public sealed record LatentInput
    {
        /// <summary>From the hidden state to the queries' latent vector (or the queries), that of keys and values, the shared key part.</summary>
        public required DeviceWeight Down { get; init; }

        public TensorView? QueryNorm { get; init; }

        public DeviceWeight? QueryUp { get; init; }

        public required TensorView KeyNorm { get; init; }

        /// <summary>To the part of each key head that does not rotate.</summary>
        public required DeviceWeight KeyUp { get; init; }

        public required DeviceWeight ValueUp { get; init; }
    }

    /// <summary>A gated feed-forward block.</summary>
    public sealed record FeedForward
    {
        public required DeviceWeight GateUp { get; init; }

        public TensorView? GateUpBias { get; init; }

        public required DeviceWeight Down { get; init; }

        public TensorView? DownBias { get; init; }
    }

    /// <summary>A mixture of experts.</summary>
    public sealed record Experts
    {
        public required DeviceWeight Router { get; init; }

        public required float[] RouterBias { get; init; }

        /// <summary>[1, hidden]: the gate of the shared expert, in families that gate it.</summary>
        public DeviceWeight? SharedGate { get; init; }

        /// <summary>float32 [1, experts]: the bias of the router's projection, which its logits hold.</summary>
        public TensorView? RouterLinearBias { get; init; }

        /// <summary>[experts, width], activation type.</summary>
        public TensorView? GateBias { get; init; }

        public TensorView? UpBias { get; init; }

        /// <summary>[experts, hidden], activation type.</summary>
        public TensorView? DownBias { get; init; }

        public required DeviceWeight Gate { get; init; }

        public required DeviceWeight Up { get; init; }

        public required DeviceWeight Down { get; init; }

        public FeedForward? Shared { get; init; }
    }
}
