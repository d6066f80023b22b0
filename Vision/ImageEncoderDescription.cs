using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>The vision part of a vision-language checkpoint, read from its configuration and headers.</summary>
internal sealed class ImageEncoderDescription(
    Checkpoint checkpoint, string prefix, VisionFamily family, VisionTowerConfig config, Func<RgbImage, CancellationToken, ProcessedImage> process,
    IImageDecoder decoder, VisionOptions options, int placeholderToken, int templateToken, VideoSupport? video, int plannedPatches) : IImageEncoderDescription
{
    /// <summary>The tower.</summary>
    public VisionTowerConfig Config => config;

    /// <inheritdoc/>
    public ModelRequirements Requirements { get; } = new()
    {
        Weights =
        [
            .. family.Tensors.Matrices(config, prefix).Select(name =>
            {
                MatrixInfo info = checkpoint.Describe(name);
                return new WeightRequirement(Operator.Linear, info.TensorName, info.Format, info.Rows, info.Columns, info.HasGroupIndex);
            }),
            .. family.Tensors.Rearranged(config, prefix).Select(matrix => new WeightRequirement(
                Operator.Linear, matrix.Tensor, new WeightFormat(WeightEncoding.Float32), matrix.Rows, matrix.Columns, HasGroupIndex: false)),
        ],
        Operators = Operators(config),
        HeadSizes = new HashSet<int> { config.HeadSize },
        // An image's tokens see the whole image.
        Attention = family.Layout == ImageLayoutKind.Gemma3 ? AttentionFeatures.BidirectionalSpans : AttentionFeatures.None,
    };

    /// <inheritdoc/>
    public long MemoryBytes(DeviceCapabilities capabilities) =>
        options.FeatureCacheBytes + VisionWorkspace.Bytes(config, capabilities.ActivationType, plannedPatches);

    /// <inheritdoc/>
    public IImageEncoder Load(Device device, WeightUploader uploader, CancellationToken cancellation) => new ImageEncoder(
        device, config, VisionTowerWeights.Load(checkpoint, prefix, family.Tensors, config, uploader, cancellation), process, family.Layout, decoder, options,
        placeholderToken, templateToken, video, plannedPatches);

    private static HashSet<Operator> Operators(VisionTowerConfig config)
    {
        var operators = new HashSet<Operator>
        {
            Operator.Linear, Operator.SegmentAttention, Operator.Activation, Operator.Copy, config.Norm == NormKind.Layer ? Operator.LayerNorm : Operator.RmsNorm,
        };
        if (config.Rope != TowerRope.None)
            operators.UnionWith([Operator.RopeAngles, Operator.Rope]);
        if (config.IsGated || config.Connector == ConnectorKind.GatedMerger)
            operators.Add(Operator.GatedActivation);
        if (config.WindowBlocks > 0 || config.HasNewline)
            operators.Add(Operator.GatherRows);
        if (config.PositionSide > 0 || config.HasLayerScale || config.HasNewline || config.Connector == ConnectorKind.Pooled)
            operators.Add(Operator.Add);
        if (config.HasLayerScale)
            operators.Add(Operator.Multiply);
        if (config.HasNewline || config.Connector == ConnectorKind.Pooled)
            operators.Add(Operator.Fill);
        operators.UnionWith(config.Connector switch
        {
            ConnectorKind.NormedConcat or ConnectorKind.GatedMerger => [Operator.LayerNorm],
            ConnectorKind.Pooled or ConnectorKind.MergedTwoLinear => (Operator[])[Operator.RmsNorm],
            _ => [],
        });
        return operators;
    }
}
