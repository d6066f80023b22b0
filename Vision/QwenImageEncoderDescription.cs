using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Vision;

/// <summary>The vision part of a Qwen vision-language checkpoint, read from its configuration and headers.</summary>
internal sealed class QwenImageEncoderDescription(
    Checkpoint checkpoint, string prefix, VisionTensors tensors, VisionTowerConfig config, IImageProcessor processor, IImageDecoder decoder,
    VisionOptions options, int placeholderToken, int plannedPatches) : IImageEncoderDescription
{
    /// <summary>The tower.</summary>
    public VisionTowerConfig Config => config;

    /// <inheritdoc/>
    public ModelRequirements Requirements { get; } = new()
    {
        Weights =
        [
            .. tensors.Matrices(config).Select(name =>
            {
                MatrixInfo info = checkpoint.Describe(prefix + name);
                return new WeightRequirement(Operator.Linear, info.TensorName, info.Format, info.Rows, info.Columns, info.HasGroupIndex);
            }),
        ],
        Operators = Operators(config),
        HeadSizes = new HashSet<int> { config.HeadSize },
    };

    /// <inheritdoc/>
    public long MemoryBytes(DeviceCapabilities capabilities) =>
        options.FeatureCacheBytes + VisionWorkspace.Bytes(config, capabilities.ActivationType, plannedPatches);

    /// <inheritdoc/>
    public IImageEncoder Load(Device device, WeightUploader uploader, CancellationToken cancellation) => new QwenImageEncoder(
        device, config, VisionTowerWeights.Load(checkpoint, prefix, tensors, config, uploader, cancellation), processor, decoder, options,
        placeholderToken, plannedPatches);

    private static HashSet<Operator> Operators(VisionTowerConfig config)
    {
        var operators = new HashSet<Operator>
        {
            Operator.Linear, Operator.RopeAngles, Operator.Rope, Operator.SegmentAttention, Operator.Activation, Operator.Copy,
            config.Norm == NormKind.Layer ? Operator.LayerNorm : Operator.RmsNorm,
        };
        if (config.IsGated)
            operators.Add(Operator.GatedActivation);
        if (config.WindowBlocks > 0)
            operators.Add(Operator.GatherRows);
        if (config.PositionSide > 0)
            operators.Add(Operator.Add);
        return operators;
    }
}
