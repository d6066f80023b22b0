using System.Text.RegularExpressions;
using Portable.Checkpoints;

namespace Portable.Quantization;

/// <summary>Which tensors of a checkpoint are linear layers, and where they belong. It goes by the names that transformers gives.</summary>
internal static partial class LinearLayers
{
    private const string Weight = ".weight";

    public enum Part
    {
        /// <summary>No linear layer: an embedding, a norm, a bias, a convolution.</summary>
        None,

        /// <summary>A linear layer that is always left alone: the head, a router.</summary>
        Kept,

        /// <summary>A linear layer of a decoder block.</summary>
        Decoder,

        /// <summary>A linear layer of the vision tower or of what joins it to the decoder.</summary>
        Vision,
    }

    public static string Module(CheckpointTensor tensor) => tensor.Name[..^Weight.Length];

    public static Part Classify(CheckpointTensor tensor)
    {
        if (tensor.Shape.Count != 2 || !tensor.Name.EndsWith(Weight, StringComparison.Ordinal) || tensor.Type is not ("F32" or "F16" or "BF16"))
            return Part.None;
        if (Embedding().IsMatch(tensor.Name))
            return Part.None;
        if (Vision().IsMatch(tensor.Name))
            return Part.Vision;
        return DecoderBlock().IsMatch(tensor.Name) && !Router().IsMatch(tensor.Name) ? Part.Decoder : Part.Kept;
    }

    [GeneratedRegex(@"(embed|embedding|embeddings|pos_embed|wte|wpe|norm)[^.]*\.weight$|(^|\.)shared\.weight$|\.patch_embed")]
    private static partial Regex Embedding();

    [GeneratedRegex(@"(^|\.)(visual|vision_tower|vision_model|vision_encoder|multi_modal_projector|mm_projector|connector|mlp1|image_newline)\.")]
    private static partial Regex Vision();

    [GeneratedRegex(@"(^|\.)(layers|blocks|h)\.[0-9]+\.")]
    private static partial Regex DecoderBlock();

    [GeneratedRegex(@"\.(mlp|block_sparse_moe|feed_forward)\.(gate|router|shared_expert_gate)\.|\.router\.")]
    private static partial Regex Router();
}
