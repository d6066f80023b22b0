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

    public Merger FinalMerger { get; private set; } = null!;

    public IReadOnlyList<Merger> DeepstackMergers { get; private set; } = [];

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
        PatchEmbedding = Matrix((names.PatchEmbedding, width, config.PatchLength));
        PatchBias = config.PatchBias ? Vectors((names.PatchEmbedding + ".bias", width)) : null;
        if (config.PositionSide is > 0 and int side)
            Positions = new PositionTable(checkpoint.ReadVector(prefix + names.PositionTable + ".weight", side * side * width), side, width);
        Rope = new RopeFrequencies(OwnVector(uploader.Floats(config.InverseFrequencies())), OwnVector(uploader.Integers(config.FrequencyAxes())));

        var blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            string Name(string pattern) => VisionTensors.At(pattern, i);
            string up = Name(names.Up);
            blocks[i] = new Block
            {
                AttentionNorm = Norm(Name(names.AttentionNorm), width),
                Qkv = Matrix((Name(names.Qkv), 3 * width, width)),
                QkvBias = Vectors((Name(names.Qkv) + ".bias", 3 * width)),
                Output = Matrix((Name(names.Output), width, width)),
                OutputBias = Vectors((Name(names.Output) + ".bias", width)),
                FeedForwardNorm = Norm(Name(names.FeedForwardNorm), width),
                Up = names.Gate is { } gate
                    ? Matrix((Name(gate), config.FeedForwardSize, width), (up, config.FeedForwardSize, width))
                    : Matrix((up, config.FeedForwardSize, width)),
                UpBias = names.Gate is { } gateBias
                    ? Vectors((Name(gateBias) + ".bias", config.FeedForwardSize), (up + ".bias", config.FeedForwardSize))
                    : Vectors((up + ".bias", config.FeedForwardSize)),
                Down = Matrix((Name(names.Down), width, config.FeedForwardSize)),
                DownBias = Vectors((Name(names.Down) + ".bias", width)),
            };
        }

        Blocks = blocks;
        FinalMerger = ReadMerger(names.Merger, normAfterConcat: false);
        DeepstackMergers =
        [
            .. Enumerable.Range(0, config.DeepstackLayers.Count).Select(i => ReadMerger(
                new MergerTensors(
                    VisionTensors.At(names.Deepstack.Norm, i), VisionTensors.At(names.Deepstack.First, i), VisionTensors.At(names.Deepstack.Second, i)),
                normAfterConcat: true)),
        ];
        uploader.Stream.Synchronize();

        Merger ReadMerger(MergerTensors merger, bool normAfterConcat) => new()
        {
            Norm = Norm(merger.Norm, normAfterConcat ? config.MergedWidth : width),
            NormAfterConcat = normAfterConcat,
            First = Matrix((merger.First, config.MergedWidth, config.MergedWidth)),
            FirstBias = Vectors((merger.First + ".bias", config.MergedWidth)),
            Second = Matrix((merger.Second, config.OutputSize, config.MergedWidth)),
            SecondBias = Vectors((merger.Second + ".bias", config.OutputSize)),
        };

        NormWeights Norm(string name, int size) =>
            new(Vectors((name + ".weight", size)), config.Norm == NormKind.Layer ? Vectors((name + ".bias", size)) : null);

        DeviceWeight Matrix(params ReadOnlySpan<(string Name, int Rows, int Columns)> parts)
        {
            var specs = new MatrixSpec[parts.Length];
            for (int i = 0; i < parts.Length; i++)
                specs[i] = new MatrixSpec(prefix + parts[i].Name, parts[i].Rows, parts[i].Columns);
            DeviceWeight weight = uploader.Matrix(cancellation, specs);
            _owned.Add(weight);
            return weight;
        }

        TensorView Vectors(params ReadOnlySpan<(string Name, int Length)> parts)
        {
            var named = new (string, int)[parts.Length];
            for (int i = 0; i < parts.Length; i++)
                named[i] = (prefix + parts[i].Name, parts[i].Length);
            return OwnVector(uploader.Vectors(named));
        }
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

        public required TensorView QkvBias { get; init; }

        public required DeviceWeight Output { get; init; }

        public required TensorView OutputBias { get; init; }

        public required NormWeights FeedForwardNorm { get; init; }

        /// <summary>fc1; of a gated MLP gate and up, stacked.</summary>
        public required DeviceWeight Up { get; init; }

        public required TensorView UpBias { get; init; }

        public required DeviceWeight Down { get; init; }

        public required TensorView DownBias { get; init; }
    }

    /// <summary>The weights of a merger.</summary>
    public sealed record Merger
    {
        public required NormWeights Norm { get; init; }

        /// <summary>Whether patches are put side by side first and normed together.</summary>
        public required bool NormAfterConcat { get; init; }

        public required DeviceWeight First { get; init; }

        public required TensorView FirstBias { get; init; }

        public required DeviceWeight Second { get; init; }

        public required TensorView SecondBias { get; init; }
    }
}
