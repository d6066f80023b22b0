using Portable.Checkpoints;
using Portable.Decoding;

namespace Portable.Vision.Towers;

/// <summary>A vision tower's weights on a device. Owns them.</summary>
internal sealed class VisionTowerWeights : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    private VisionTowerWeights()
    {
    }

    public DeviceWeight PatchEmbedding { get; private set; } = null!;

    public TensorView? PatchBias { get; private set; }

    /// <summary>The learned positions, on the host, where images are prepared; null where there are none.</summary>
    public PositionTable? Positions { get; private set; }

    public RopeFrequencies Rope { get; private set; }

    public IReadOnlyList<Block> Blocks { get; private set; } = [];

    /// <summary>The row before the patches of each frame, its position added; on the host.</summary>
    public float[]? ClassRow { get; private set; }

    public NormWeights? EmbeddingNorm { get; private set; }

    public NormWeights? FinalNorm { get; private set; }

    /// <summary>float32 [1, output]: the row at the end of rows of tokens.</summary>
    public TensorView? Newline { get; private set; }

    public Connector FinalMerger { get; private set; } = null!;

    public IReadOnlyList<Connector> DeepstackMergers { get; private set; } = [];

    /// <summary>Reads, checks and uploads every tensor. On an error, or when cancelled, what was uploaded is freed.</summary>
    public static VisionTowerWeights Load(
        Checkpoint checkpoint, string prefix, VisionTensors names, VisionTowerConfig config, WeightUploader uploader, CancellationToken cancellation)
    {
        var weights = new VisionTowerWeights();
        try
        {
            weights.Fill(checkpoint, prefix, names, config, uploader, cancellation);
            return weights;
        }
        catch
        {
            uploader.Stream.Synchronize();
            weights.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    private void Fill(
        Checkpoint checkpoint, string prefix, VisionTensors names, VisionTowerConfig config, WeightUploader uploader, CancellationToken cancellation)
    {
        int width = config.Width;
        string apart = names.ConnectorPrefix(prefix);
        PatchEmbedding = names.PatchSlices is { } slices ? Interleaved(slices) : Matrix((prefix + names.PatchEmbedding, width, config.PatchLength));
        PatchBias = config.PatchBias ? Vectors((prefix + names.PatchEmbedding + ".bias", width)) : null;
        if (config.PositionSide is > 0 and int side)
        {
            // The row before the patches has the first position.
            float[] table = checkpoint.ReadVector(prefix + names.PositionTable, ((side * side) + config.ClassRows) * width);
            Positions = new PositionTable(table[(config.ClassRows * width)..], side, width, config.Positions);
            if (config.HasClassToken)
                ClassRow = [.. checkpoint.ReadVector(prefix + names.ClassToken, width).Select((value, c) => value + table[c])];
        }

        EmbeddingNorm = config.EmbeddingNorm == Towers.EmbeddingNorm.None ? null : Norm(prefix + names.EmbeddingNorm, width);
        FinalNorm = config.HasFinalNorm ? Norm(prefix + names.FinalNorm, width) : null;
        Newline = config.HasNewline ? Vectors((apart + names.Newline, config.OutputSize)) : null;
        Rope = new RopeFrequencies(OwnVector(uploader.Floats(config.InverseFrequencies())), OwnVector(uploader.Integers(config.FrequencyAxes())));

        var blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            string Name(string pattern) => prefix + VisionTensors.At(pattern, i);
            string up = Name(names.Up);
            (string Name, int Rows)[] qkv = names.Qkv is { } fused ? [(Name(fused), 3 * width)] : [(Name(names.Query), width), (Name(names.Key), width), (Name(names.Value), width)];
            (string Name, int Rows)[] gateUp = names.Gate is { } gate ? [(Name(gate), config.FeedForwardSize), (up, config.FeedForwardSize)] : [(up, config.FeedForwardSize)];
            blocks[i] = new Block
            {
                AttentionNorm = Norm(Name(names.AttentionNorm), width),
                Qkv = Matrix([.. qkv.Select(part => (part.Name, part.Rows, width))]),
                QkvBias = Biases(qkv),
                Output = Matrix((Name(names.Output), width, width)),
                OutputBias = Biases((Name(names.Output), width)),
                AttentionScale = config.HasLayerScale ? Table(Name(names.AttentionScale), width) : null,
                FeedForwardNorm = Norm(Name(names.FeedForwardNorm), width),
                Up = Matrix([.. gateUp.Select(part => (part.Name, part.Rows, width))]),
                UpBias = Biases(gateUp),
                Down = Matrix((Name(names.Down), width, config.FeedForwardSize)),
                DownBias = Biases((Name(names.Down), width)),
                FeedForwardScale = config.HasLayerScale ? Table(Name(names.FeedForwardScale), width) : null,
            };
        }

        Blocks = blocks;
        FinalMerger = ReadConnector();
        DeepstackMergers =
        [
            .. Enumerable.Range(0, config.DeepstackLayers.Count).Select(i =>
            {
                int tap = names.Tap(config, i);
                string first = prefix + VisionTensors.At(names.Deepstack.First, tap), second = prefix + VisionTensors.At(names.Deepstack.Second, tap);
                return new Connector(
                    null, false,
                    [
                        new NormStep(config.Norm, Norm(prefix + VisionTensors.At(names.Deepstack.Norm, tap), config.MergedWidth), config.NormEpsilon),
                        Linear(first, config.MergedWidth, config.MergedWidth, true), new ActivationStep(ActivationKind.Gelu),
                        Linear(second, config.OutputSize, config.MergedWidth, true),
                    ]);
            }),
        ];
        uploader.Stream.Synchronize();

        Connector ReadConnector()
        {
            MergerTensors merger = names.Merger;
            string first = apart + merger.First, second = apart + merger.Second, norm = apart + merger.Norm;
            int merged = config.MergedWidth, output = config.OutputSize;
            var gelu = new ActivationStep(ActivationKind.Gelu);
            switch (config.Connector)
            {
                case ConnectorKind.Merger:
                    return new(new NormStep(config.Norm, Norm(norm, width), config.NormEpsilon), false, [Linear(first, merged, merged, true), gelu, Linear(second, output, merged, true)]);
                case ConnectorKind.NormedConcat:
                    var wide = new NormStep(NormKind.Layer, new(Vectors((norm + ".weight", merged)), Vectors((norm + ".bias", merged))), config.ConnectorEpsilon);
                    return new(null, false, [wide, Linear(first, output, merged, true), gelu, Linear(second, output, output, true)]);
                case ConnectorKind.Linear:
                    return new(null, false, [Linear(first, output, merged, false)]);
                case ConnectorKind.TwoLinear:
                    return new(null, false, [Linear(first, output, width, config.ConnectorBias), gelu, Linear(second, output, output, config.ConnectorBias)]);
                case ConnectorKind.Pooled:
                    float[] stored = checkpoint.ReadVector(apart + names.PooledProjection, checked(width * output)), turned = new float[stored.Length];
                    for (int row = 0; row < width; row++)
                    {
                        for (int column = 0; column < output; column++)
                            turned[(column * width) + row] = stored[(row * output) + column];
                    }

                    var pooled = new NormStep(NormKind.RootMeanSquare, new(OwnVector(uploader.Vector(norm + ".weight", width, 1)), null), config.ConnectorEpsilon);
                    return new(null, true, [pooled, new LinearStep(Own(uploader.Floats(names.PooledProjection, turned, output, width)), null)]);
                case ConnectorKind.MergedTwoLinear:
                    return new(
                        new NormStep(NormKind.RootMeanSquare, new(Vectors((norm + ".weight", width)), null), config.ConnectorEpsilon), false,
                        [
                            new LinearStep(Downsample(width), null), Linear(first, output, width, config.ConnectorBias), gelu,
                            Linear(second, output, output, config.ConnectorBias),
                        ]);
                default:
                    var middle = new NormStep(NormKind.Layer, new(Vectors((norm + ".weight", output)), Vectors((norm + ".bias", output))), config.ConnectorEpsilon);
                    DeviceWeight gateUp = Matrix((apart + names.ConnectorGate, config.ConnectorSize, output), (apart + names.ConnectorUp, config.ConnectorSize, output));
                    string bias = names.Downsample.Replace(".weight", ".bias", StringComparison.Ordinal);
                    return new(
                        null, false,
                        [
                            new LinearStep(Downsample(output), Vectors((apart + bias, output))), Linear(first, output, output, false), middle, gelu,
                            new GatedStep(gateUp, ActivationKind.Silu), Linear(second, output, config.ConnectorSize, false),
                        ]);
            }
        }

        // Each frame's tensor holds for each output three channels of pixels; a patch lies channel by channel, frame by frame.
        DeviceWeight Interleaved(IReadOnlyList<string> slices)
        {
            int pixels = config.PatchSize * config.PatchSize, frames = slices.Count;
            float[] all = new float[checked(width * config.PatchLength)];
            for (int frame = 0; frame < frames; frame++)
            {
                ReadOnlySpan<float> slice = checkpoint.ReadVector(prefix + slices[frame], width * 3 * pixels);
                for (int part = 0; part < width * 3; part++)
                    slice.Slice(part * pixels, pixels).CopyTo(all.AsSpan(((part * frames) + frame) * pixels));
            }

            return Own(uploader.Floats(prefix + names.PatchEmbedding, all, width, config.PatchLength));
        }

        // Stored as a convolution: for each output channel by channel the patches of a block; here patch by patch.
        DeviceWeight Downsample(int rows)
        {
            int block = config.BlockPatches;
            float[] stored = checkpoint.ReadVector(apart + names.Downsample, checked(rows * config.MergedWidth)), turned = new float[stored.Length];
            for (int i = 0; i < stored.Length; i++)
            {
                int row = i / config.MergedWidth, inside = i % config.MergedWidth;
                turned[(row * config.MergedWidth) + (inside % block * width) + (inside / block)] = stored[i];
            }

            return Own(uploader.Floats(names.Downsample, turned, rows, config.MergedWidth));
        }

        LinearStep Linear(string name, int rows, int columns, bool hasBias) => new(Matrix((name, rows, columns)), hasBias ? Vectors((name + ".bias", rows)) : null);

        TensorView? Biases(params ReadOnlySpan<(string Name, int Rows)> parts)
        {
            if (!config.HasBiases)
                return null;
            var named = new (string, int)[parts.Length];
            for (int i = 0; i < parts.Length; i++)
                named[i] = (parts[i].Name + ".bias", parts[i].Rows);
            return Vectors(named);
        }

        TensorView Table(string tensor, int length) => OwnVector(uploader.Table(checkpoint.ReadVector(tensor, length), 1, length));

        NormWeights Norm(string name, int size) =>
            new(Vectors((name + ".weight", size)), config.Norm == NormKind.Layer ? Vectors((name + ".bias", size)) : null);

        DeviceWeight Matrix(params ReadOnlySpan<(string Name, int Rows, int Columns)> parts)
        {
            var specs = new MatrixSpec[parts.Length];
            for (int i = 0; i < parts.Length; i++)
                specs[i] = new MatrixSpec(parts[i].Name, parts[i].Rows, parts[i].Columns);
            return Own(uploader.Matrix(cancellation, specs));
        }

        TensorView Vectors(params ReadOnlySpan<(string Name, int Length)> parts)
        {
            return OwnVector(uploader.Vectors(parts));
        }
    }

    private DeviceWeight Own(DeviceWeight weight)
    {
        _owned.Add(weight);
        return weight;
    }

    private TensorView OwnVector(TensorView view)
    {
        _owned.Add(view.Buffer);
        return view;
    }

    /// <summary>Weight and, for a layer norm, bias.</summary>
    public readonly record struct NormWeights(TensorView Weight, TensorView? Bias);

    /// <summary>The weights of one block.</summary>
    public sealed record Block
    {
        public required NormWeights AttentionNorm { get; init; }

        public required DeviceWeight Qkv { get; init; }

        public TensorView? QkvBias { get; init; }

        public required DeviceWeight Output { get; init; }

        public TensorView? OutputBias { get; init; }

        public required NormWeights FeedForwardNorm { get; init; }

        /// <summary>fc1; of a gated MLP gate and up, stacked.</summary>
        public required DeviceWeight Up { get; init; }

        public TensorView? UpBias { get; init; }

        public required DeviceWeight Down { get; init; }

        public TensorView? DownBias { get; init; }

        /// <summary>[1, width], activation type: what multiplies each branch; null where nothing does.</summary>
        public TensorView? AttentionScale { get; init; }

        public TensorView? FeedForwardScale { get; init; }
    }

    /// <summary>What makes rows of the decoder's width of the patches of a block.</summary>
    /// <param name="PatchNorm">The norm of each patch by itself, first; null for none.</param>
    /// <param name="IsPooled">Whether patches are averaged; else they are put side by side.</param>
    /// <param name="Steps">What follows; the last is linear.</param>
    public sealed record Connector(NormStep? PatchNorm, bool IsPooled, IReadOnlyList<ConnectorStep> Steps);

    /// <summary>A layer of a connector.</summary>
    public abstract record ConnectorStep;

    /// <summary>W x + bias.</summary>
    public sealed record LinearStep(DeviceWeight Weight, TensorView? Bias) : ConnectorStep;

    /// <summary>A norm.</summary>
    public sealed record NormStep(NormKind Kind, NormWeights Weights, float Epsilon) : ConnectorStep;

    /// <summary>An activation.</summary>
    public sealed record ActivationStep(ActivationKind Kind) : ConnectorStep;

    /// <summary>act(gate x) * up x, both stacked in one matrix.</summary>
    public sealed record GatedStep(DeviceWeight GateUp, ActivationKind Kind) : ConnectorStep;
}
