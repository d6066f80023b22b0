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

    /// <summary>The vectors that <see cref="Load"/> uploads, each into a buffer of its own, by their elements of 4 bytes.</summary>
    public static IEnumerable<int> VectorLengths(DecoderConfig config)
    {
        yield return config.HiddenSize;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            int norms = (config.HasPreNorms ? 2 : 0) + (config.HasPostNorms ? 2 : 0);
            for (int i = 0; i < norms; i++)
                yield return config.HiddenSize;
            if (config.QkvBias)
                yield return config.QkvSize;
            if (config.QueryKeyNorm != QueryKeyNorm.None)
            {
                yield return config.QueryKeyNorm == QueryKeyNorm.Row ? config.QuerySize : config.HeadSize;
                yield return config.QueryKeyNorm == QueryKeyNorm.Row ? config.KeySize : config.HeadSize;
            }

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
        Head = config.TiedHead
            ? Embedding
            : Own(uploader.Matrix(cancellation, new MatrixSpec(names.Head, config.VocabularySize, hidden)));
        // A scale of the logits is one of the head's input, and so of the norm before it.
        FinalNorm = OwnVector(uploader.Vector(names.FinalNorm + ".weight", hidden, config.NormOffset, config.LogitScale));

        var layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            MatrixSpec[] qkv = description.Qkv(i);
            var output = new MatrixSpec(Name(names.Output), hidden, config.QuerySize);
            (int queryNorm, int keyNorm) = config.QueryKeyNorm == QueryKeyNorm.Row
                ? (config.QuerySize, config.KeySize)
                : (config.HeadSize, config.HeadSize);
            layers[i] = new Layer
            {
                AttentionNorm = Norm(names.AttentionNorm, hidden, config.HasPreNorms),
                Qkv = Own(uploader.Matrix(cancellation, qkv)),
                QkvBias = Bias(config.QkvBias, qkv),
                QueryNorm = Norm(names.QueryNorm, queryNorm, config.QueryKeyNorm != QueryKeyNorm.None),
                KeyNorm = Norm(names.KeyNorm, keyNorm, config.QueryKeyNorm != QueryKeyNorm.None),
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

            Experts Mixture()
            {
                ExpertConfig experts = config.Experts!;
                return new()
                {
                    Router = Own(uploader.Matrix(cancellation, new MatrixSpec(Name(names.Router), experts.Count, hidden))),
                    RouterBias = experts.HasBias ? checkpoint.ReadVector(Name(names.RouterBias), experts.Count) : [],
                    Gate = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertGate, i, isDown: false))),
                    Up = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertUp, i, isDown: false))),
                    Down = Own(uploader.Experts(cancellation, experts.Count, description.ExpertMatrices(names.ExpertDown, i, isDown: true))),
                    Shared = experts.SharedSize == 0 ? null : Block(description.SharedGateUp(i), description.SharedDown(i)),
                };
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

        public required DeviceWeight Qkv { get; init; }

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

        public required DeviceWeight Gate { get; init; }

        public required DeviceWeight Up { get; init; }

        public required DeviceWeight Down { get; init; }

        public FeedForward? Shared { get; init; }
    }
}
