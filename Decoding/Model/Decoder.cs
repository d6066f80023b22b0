using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// Enqueues the forward pass of a decoder over a packed batch. Knows neither sequences nor sampling: what the batch is
/// has been uploaded into the workspace before.
/// </summary>
/// <param name="config">The configuration.</param>
/// <param name="weights">The weights; owned by the caller.</param>
/// <param name="layers">How many blocks to run; all unless a test wants to look inside.</param>
internal sealed partial class Decoder(DecoderConfig config, DecoderWeights weights, int layers = int.MaxValue)
{
    private readonly int _layers = Math.Min(layers, weights.Layers.Count);

    public DecoderConfig Config => config;

    /// <summary>Enqueues one step.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="workspace">Ids, positions, slots, sequence offsets, context lengths, page table and logit rows, uploaded.</param>
    /// <param name="cache">The KV cache.</param>
    /// <param name="step">Counts and bounds of the batch.</param>
    public void Enqueue(CommandStream stream, DecoderWorkspace workspace, KvCache cache, in DecoderStep step)
    {
        int tokens = step.Tokens;
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), qkv = workspace.Qkv.SliceRows(0, tokens);
        TensorView attended = workspace.Attended.SliceRows(0, tokens);
        var batch = new PagedBatch(
            workspace.QueryOffsets.SliceColumns(0, step.Sequences + 1),
            workspace.ContextLengths.SliceColumns(0, step.Sequences),
            workspace.PageTable.SliceRows(0, step.Sequences),
            step.Sequences,
            step.MaxQueryLength,
            step.MaxContextLength)
        {
            VisibleEnds = step.SeesAhead ? workspace.VisibleEnds!.Value.SliceColumns(0, tokens) : null,
        };

        stream.Embed(workspace.Ids.SliceColumns(0, tokens), weights.Embedding, hidden, config.EmbeddingScale);
        Splice(stream, workspace, step.Media?.Features, step, hidden, accumulate: false);
        Angles(stream, workspace, tokens);
        for (int i = 0; i < _layers; i++)
        {
            DecoderWeights.Layer layer = weights.Layers[i];
            TensorView output = attended;
            if (layer.Delta is { } delta)
            {
                output = Delta(stream, workspace, i, delta, step);
            }
            else
            {
                AttentionParameters attention = config.Attention(i) with { Sinks = layer.Sinks };
                AttentionInput(stream, workspace, cache, i, tokens);
                stream.PagedAttention(qkv.SliceColumns(0, config.QuerySize), cache, config.CacheLayer(i), batch, attention, attended);
                if (layer.OutputGate is not null)
                    stream.GatedActivation(workspace.OutputGate.SliceRows(0, tokens), attended, attended, ActivationKind.Sigmoid);
            }

            AddBranch(stream, workspace, output, layer.Output, layer.OutputBias, layer.AttentionPostNorm);
            if (layer.Experts is { } experts)
                Experts(stream, workspace, layer, experts, tokens);
            else
                FeedForward(stream, workspace, layer, layer.FeedForward!, tokens);
            if (step.Media is { } media && i < media.LayerFeatures.Count)
                Splice(stream, workspace, media.LayerFeatures[i], step, hidden, accumulate: true);
        }

        if (step.LogitRows == 0)
            return;
        TensorView last = workspace.Last.SliceRows(0, step.LogitRows), logits = workspace.Logits.SliceRows(0, step.LogitRows);
        stream.GatherRows(hidden, workspace.LogitRows.SliceColumns(0, step.LogitRows), last);
        stream.RmsNorm(last, weights.FinalNorm, last, config.NormEpsilon);
        stream.Linear(last, weights.Head, logits);
        if (config.LogitSoftCap > 0)
            stream.Activation(logits, logits, ActivationKind.SoftCap, config.LogitSoftCap);
        stream.TopK(logits, workspace.BestIds.SliceRows(0, step.LogitRows), workspace.BestLogits.SliceRows(0, step.LogitRows));
    }

    private void Angles(CommandStream stream, DecoderWorkspace workspace, int tokens)
    {
        TensorView positions = workspace.Positions.SliceColumns(0, config.Rope.Axes * tokens).Reshape(config.Rope.Axes, tokens);
        TensorView angles = workspace.Rope.Angles.SliceRows(0, tokens);
        stream.RopeAngles(positions, workspace.Rope.Frequencies, angles);
        if (workspace.LocalRope is { } local)
            stream.RopeAngles(positions, local.Frequencies, local.Angles.SliceRows(0, tokens));
        if (workspace.QueryScales is { } scales)
            stream.Multiply(angles, scales.SliceRows(0, tokens), workspace.QueryAngles!.Value.SliceRows(0, tokens));
    }

    private RopeArguments? RopeOf(DecoderWorkspace workspace, int layer, int tokens) => config.RopeOf(layer) switch
    {
        LayerRope.Global => new(workspace.Rope.Angles.SliceRows(0, tokens), config.Rope.Style),
        LayerRope.Local => new(workspace.LocalRope!.Angles.SliceRows(0, tokens), config.LocalRope!.Style),
        _ => null,
    };

    /// <summary>From the residual stream to queries in the workspace and keys and values in the cache: fused where the block is Llama's.</summary>
    private void AttentionInput(CommandStream stream, DecoderWorkspace workspace, KvCache cache, int index, int tokens)
    {
        DecoderWeights.Layer layer = weights.Layers[index];
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), normed = workspace.Normed.SliceRows(0, tokens);
        TensorView qkv = workspace.Qkv.SliceRows(0, tokens), slots = workspace.Slots.SliceColumns(0, tokens);
        RopeArguments? rope = RopeOf(workspace, index, tokens);
        if (layer.Latent is { } latent)
        {
            LatentInput(stream, workspace, cache, index, latent, rope!.Value, tokens);
            return;
        }

        if (layer.AttentionNorm is { } norm && config.QueryKeyNorm != QueryKeyNorm.Row && workspace.QueryAngles is null && layer.OutputGate is null)
        {
            stream.AttentionInput(new AttentionInputArguments
            {
                Hidden = hidden,
                NormWeight = norm,
                Epsilon = config.NormEpsilon,
                Qkv = layer.Qkv!,
                Bias = layer.QkvBias,
                QueryNorm = layer.QueryNorm,
                KeyNorm = layer.KeyNorm,
                Rope = rope,
                Attention = config.Attention(index),
                Cache = cache,
                Layer = config.CacheLayer(index),
                Slots = slots,
                Normed = normed,
                Output = qkv,
            });
            return;
        }

        TensorView query = qkv.SliceColumns(0, config.QuerySize), key = qkv.SliceColumns(config.QuerySize, config.KeySize);
        TensorView input = PreNormed(stream, hidden, layer.AttentionNorm, normed);
        stream.Linear(input, layer.Qkv!, qkv, layer.QkvBias);
        if (layer.OutputGate is { } outputGate)
            stream.Linear(input, outputGate, workspace.OutputGate.SliceRows(0, tokens));
        if (layer.QueryNorm is { } queryNorm)
            stream.RmsNorm(query, queryNorm, query, config.NormEpsilon);
        if (layer.KeyNorm is { } keyNorm)
            stream.RmsNorm(key, keyNorm, key, config.NormEpsilon);
        if (rope is { } rotation)
        {
            // Scaled cosines and sines scale the queries.
            stream.Rope(query, config.HeadSize, workspace.QueryAngles is { } angles ? rotation with { Angles = angles.SliceRows(0, tokens) } : rotation);
            stream.Rope(key, config.HeadSize, rotation);
        }

        stream.KvWrite(key, qkv.SliceColumns(config.QuerySize + config.KeySize, config.KeySize), cache, config.CacheLayer(index), slots);
    }

    private void FeedForward(CommandStream stream, DecoderWorkspace workspace, DecoderWeights.Layer layer, DecoderWeights.FeedForward weights, int tokens)
    {
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), activated = workspace.Activated.SliceRows(0, tokens);
        if (layer.FeedForwardNorm is { } norm)
        {
            stream.FeedForwardInput(new FeedForwardInputArguments
            {
                Hidden = hidden,
                NormWeight = norm,
                Epsilon = config.NormEpsilon,
                GateUp = weights.GateUp,
                Bias = weights.GateUpBias,
                Activation = config.Activation,
                Normed = workspace.Normed.SliceRows(0, tokens),
                Projected = workspace.Projected.SliceRows(0, tokens),
                Output = activated,
            });
        }
        else
        {
            activated = Gated(stream, workspace, hidden, weights);
        }

        AddBranch(stream, workspace, activated, weights.Down, weights.DownBias, layer.FeedForwardPostNorm);
    }

    /// <summary>act(gate) * up of an input, in the workspace, as wide as the weights are.</summary>
    private TensorView Gated(CommandStream stream, DecoderWorkspace workspace, TensorView input, DecoderWeights.FeedForward weights)
    {
        int width = weights.Down.Columns;
        TensorView projected = workspace.Projected.SliceRows(0, input.Rows).SliceColumns(0, 2 * width);
        TensorView activated = workspace.Activated.SliceRows(0, input.Rows).SliceColumns(0, width);
        stream.Linear(input, weights.GateUp, projected, weights.GateUpBias);
        stream.GatedActivation(projected.SliceColumns(0, width), projected.SliceColumns(width, width), activated, config.Activation);
        return activated;
    }

    private TensorView PreNormed(CommandStream stream, TensorView hidden, TensorView? norm, TensorView normed)
    {
        if (norm is not { } weight)
            return hidden;
        stream.RmsNorm(hidden, weight, normed, config.NormEpsilon);
        return normed;
    }

    /// <summary>Adds a branch's output projection to the residual stream, normed and scaled where the family does so.</summary>
    private void AddBranch(
        CommandStream stream, DecoderWorkspace workspace, TensorView input, DeviceWeight weight, TensorView? bias, TensorView? postNorm)
    {
        TensorView hidden = workspace.Hidden.SliceRows(0, input.Rows);
        if (postNorm is null && config.ResidualScale == 1)
        {
            stream.Linear(input, weight, hidden, bias, accumulate: true);
            return;
        }

        // Nothing needs the branch's own normed input any more.
        TensorView branch = workspace.Normed.SliceRows(0, input.Rows);
        stream.Linear(input, weight, branch, bias);
        AddBranch(stream, hidden, branch, postNorm);
    }

    private void AddBranch(CommandStream stream, TensorView hidden, TensorView branch, TensorView? postNorm)
    {
        if (postNorm is { } norm)
            stream.RmsNorm(branch, norm, branch, config.NormEpsilon);
        stream.Add(hidden, branch, hidden, config.ResidualScale);
    }

    /// <summary>Puts (or adds) the rows of image features that fall into this step at their tokens.</summary>
    private static void Splice(
        CommandStream stream, DecoderWorkspace workspace, IReadOnlyList<TensorView>? images, in DecoderStep step, TensorView hidden, bool accumulate)
    {
        if (images is null)
            return;
        foreach (MediaSlice slice in step.Media!.Slices)
        {
            TensorView rows = workspace.MediaFeatures.SliceRows(0, slice.Count);
            stream.GatherRows(images[slice.Image], workspace.MediaSources.SliceColumns(slice.Offset, slice.Count), rows);
            stream.ScatterRows(rows, workspace.MediaRows.SliceColumns(slice.Offset, slice.Count), hidden, accumulate);
        }
    }
}

/// <summary>Counts and bounds of one packed step.</summary>
/// <param name="Tokens">Packed tokens.</param>
/// <param name="Sequences">Sequences.</param>
/// <param name="MaxQueryLength">Bound of one sequence's tokens in the step.</param>
/// <param name="MaxContextLength">Bound of the context lengths.</param>
/// <param name="LogitRows">Rows that logits are wanted for.</param>
/// <param name="Media">Image features to splice in, or null.</param>
/// <param name="SeesAhead">Whether tokens see later ones, by the workspace's visible ends.</param>
internal readonly record struct DecoderStep(
    int Tokens, int Sequences, int MaxQueryLength, int MaxContextLength, int LogitRows, MediaStep? Media = null, bool SeesAhead = false);

/// <summary>The image features of a step.</summary>
/// <param name="Slices">Which tokens they replace.</param>
/// <param name="Features">Per image [image tokens, hidden].</param>
/// <param name="LayerFeatures">Per layer, from 0, per image: features added after that layer (deepstack).</param>
internal sealed record MediaStep(
    IReadOnlyList<MediaSlice> Slices, IReadOnlyList<TensorView> Features, IReadOnlyList<IReadOnlyList<TensorView>> LayerFeatures);

/// <summary>A run of image tokens inside a step; rows and sources lie in the workspace from Offset on.</summary>
/// <param name="Image">Which image.</param>
/// <param name="Offset">Where its indices begin in MediaRows and MediaSources.</param>
/// <param name="Count">Tokens.</param>
internal readonly record struct MediaSlice(int Image, int Offset, int Count);
