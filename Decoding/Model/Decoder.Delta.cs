using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

internal sealed partial class Decoder
{
    // As the published code has it: x / sqrt(sum of squares + 1e-6).
    private const float DeltaEpsilon = 1e-6f;

    /// <summary>
    /// The first branch of a layer with a recurrent state, without its output projection: projections, the convolution with SiLU, queries and keys
    /// of length 1, the gated delta rule, and the norm of each value head times SiLU of its gate. Source: transformers' Qwen3-Next.
    /// </summary>
    private TensorView Delta(CommandStream stream, DecoderWorkspace workspace, int index, DecoderWeights.DeltaBlock block, in DecoderStep step)
    {
        DeltaConfig delta = config.Delta!;
        DeltaWorkspace own = workspace.Delta!;
        int tokens = step.Tokens, first = delta.IndexOf(index) * workspace.MaxSequences;
        TensorView input = own.Input.SliceRows(0, tokens), mixed = own.Mixed.SliceRows(0, tokens), output = own.Output.SliceRows(0, tokens);
        TensorView gates = own.Gates.SliceRows(0, tokens);
        var segments = new SegmentBatch(workspace.QueryOffsets.SliceColumns(0, step.Sequences + 1), step.Sequences, step.MaxQueryLength);

        TensorView normed = PreNormed(stream, workspace.Hidden.SliceRows(0, tokens), weights.Layers[index].AttentionNorm, workspace.Normed.SliceRows(0, tokens));
        stream.Linear(normed, block.Input, input);
        stream.Linear(normed, block.Gates, gates);
        stream.CausalConvolution(input.SliceColumns(0, delta.MixedColumns), block.Taps, own.Histories.SliceRows(first, step.Sequences), segments, mixed);
        stream.Activation(mixed, mixed, ActivationKind.Silu);
        TensorView query = mixed.SliceColumns(0, delta.KeyColumns), key = mixed.SliceColumns(delta.KeyColumns, delta.KeyColumns);
        stream.RmsNorm(query, weights.DeltaQueryNorm, query, DeltaEpsilon / delta.KeySize);
        stream.RmsNorm(key, weights.DeltaKeyNorm, key, DeltaEpsilon / delta.KeySize);
        var rule = new GatedDeltaRule(delta.KeyHeads, delta.ValueHeads, delta.KeySize, delta.ValueSize, block.Rates, block.Biases)
        {
            AreKeyHeadsTiled = delta.AreKeyHeadsTiled,
        };
        stream.GatedDelta(
            query, key, mixed.SliceColumns(2 * delta.KeyColumns, delta.ValueColumns), gates.SliceColumns(delta.ValueHeads, delta.ValueHeads),
            gates.SliceColumns(0, delta.ValueHeads), rule, own.States.SliceRows(first, step.Sequences), segments, output);
        stream.RmsNorm(output, block.Norm, output, config.NormEpsilon);
        stream.GatedActivation(input.SliceColumns(delta.MixedColumns, delta.ValueColumns), output, output, ActivationKind.Silu);
        return output;
    }
}
