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

    public RopeFrequencies Rope { get; private set; }

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
        yield return config.Rope.RotaryDimensions / 2;
        yield return config.Rope.RotaryDimensions / 2;
        for (int layer = 0; layer < config.Layers; layer++)
        {
            yield return config.HiddenSize;
            yield return config.HiddenSize;
            if (config.QkvBias)
                yield return config.QkvSize;
            if (config.QueryKeyNorm)
            {
                yield return config.HeadSize;
                yield return config.HeadSize;
            }

            if (config.OutputBias)
                yield return config.HiddenSize;
            if (config.FeedForwardBias)
            {
                yield return 2 * config.FeedForwardSize;
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
        int hidden = config.HiddenSize, query = config.QueryHeads * config.HeadSize, key = config.KeyHeads * config.HeadSize;

        Embedding = Own(uploader.Matrix(cancellation, new MatrixSpec(names.Embedding, config.VocabularySize, hidden)));
        Head = config.TiedHead
            ? Embedding
            : Own(uploader.Matrix(cancellation, new MatrixSpec(names.Head, config.VocabularySize, hidden)));
        FinalNorm = OwnVector(uploader.Vector(names.FinalNorm + ".weight", hidden));

        float[] inverse = config.Rope.InverseFrequencies();
        int[] axes = config.Rope.FrequencyAxes();
        Rope = new RopeFrequencies(OwnVector(uploader.Floats(inverse)), OwnVector(uploader.Integers(axes)));

        var layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            string Name(string pattern) => DecoderTensors.InLayer(pattern, i);
            layers[i] = new Layer
            {
                AttentionNorm = OwnVector(uploader.Vector(Name(names.AttentionNorm) + ".weight", hidden)),
                Qkv = Own(uploader.Matrix(
                    cancellation,
                    new MatrixSpec(Name(names.Query), query, hidden),
                    new MatrixSpec(Name(names.Key), key, hidden),
                    new MatrixSpec(Name(names.Value), key, hidden))),
                QkvBias = config.QkvBias
                    ? OwnVector(uploader.Vectors((Name(names.Query) + ".bias", query), (Name(names.Key) + ".bias", key), (Name(names.Value) + ".bias", key)))
                    : null,
                QueryNorm = config.QueryKeyNorm ? OwnVector(uploader.Vector(Name(names.QueryNorm) + ".weight", config.HeadSize)) : null,
                KeyNorm = config.QueryKeyNorm ? OwnVector(uploader.Vector(Name(names.KeyNorm) + ".weight", config.HeadSize)) : null,
                Output = Own(uploader.Matrix(cancellation, new MatrixSpec(Name(names.Output), hidden, query))),
                OutputBias = config.OutputBias ? OwnVector(uploader.Vector(Name(names.Output) + ".bias", hidden)) : null,
                FeedForwardNorm = OwnVector(uploader.Vector(Name(names.FeedForwardNorm) + ".weight", hidden)),
                GateUp = Own(uploader.Matrix(
                    cancellation,
                    new MatrixSpec(Name(names.Gate), config.FeedForwardSize, hidden),
                    new MatrixSpec(Name(names.Up), config.FeedForwardSize, hidden))),
                GateUpBias = config.FeedForwardBias
                    ? OwnVector(uploader.Vectors((Name(names.Gate) + ".bias", config.FeedForwardSize), (Name(names.Up) + ".bias", config.FeedForwardSize)))
                    : null,
                Down = Own(uploader.Matrix(cancellation, new MatrixSpec(Name(names.Down), hidden, config.FeedForwardSize))),
                DownBias = config.FeedForwardBias ? OwnVector(uploader.Vector(Name(names.Down) + ".bias", hidden)) : null,
            };
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
        public required TensorView AttentionNorm { get; init; }

        public required DeviceWeight Qkv { get; init; }

        public TensorView? QkvBias { get; init; }

        public TensorView? QueryNorm { get; init; }

        public TensorView? KeyNorm { get; init; }

        public required DeviceWeight Output { get; init; }

        public TensorView? OutputBias { get; init; }

        public required TensorView FeedForwardNorm { get; init; }

        public required DeviceWeight GateUp { get; init; }

        public TensorView? GateUpBias { get; init; }

        public required DeviceWeight Down { get; init; }

        public TensorView? DownBias { get; init; }
    }
}
