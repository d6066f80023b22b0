using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// Enqueues the forward pass of a decoder over a packed batch. Knows neither sequences nor sampling: what the batch is
/// has been uploaded into the workspace before.
/// </summary>
/// <param name="config">The configuration.</param>
/// <param name="weights">The weights; owned by the caller.</param>
/// <param name="layers">How many blocks to run; all unless a test wants to look inside.</param>
internal sealed class Decoder(DecoderConfig config, DecoderWeights weights, int layers = int.MaxValue)
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
        TensorView hidden = workspace.Hidden.SliceRows(0, tokens), normed = workspace.Normed.SliceRows(0, tokens);
        TensorView qkv = workspace.Qkv.SliceRows(0, tokens), attended = workspace.Attended.SliceRows(0, tokens);
        TensorView projected = workspace.Projected.SliceRows(0, tokens), activated = workspace.Activated.SliceRows(0, tokens);
        TensorView angles = workspace.Angles.SliceRows(0, tokens), slots = workspace.Slots.SliceColumns(0, tokens);
        TensorView positions = workspace.Positions.SliceColumns(0, config.Rope.Axes * tokens).Reshape(config.Rope.Axes, tokens);
        var batch = new PagedBatch(
            workspace.QueryOffsets.SliceColumns(0, step.Sequences + 1),
            workspace.ContextLengths.SliceColumns(0, step.Sequences),
            workspace.PageTable.SliceRows(0, step.Sequences),
            step.Sequences,
            step.MaxQueryLength,
            step.MaxContextLength);

        stream.Embed(workspace.Ids.SliceColumns(0, tokens), weights.Embedding, hidden);
        Splice(stream, workspace, step.Media?.Features, step, hidden, accumulate: false);
        stream.RopeAngles(positions, weights.Rope, angles);
        var rope = new RopeArguments(angles, config.Rope.Style);
        for (int i = 0; i < _layers; i++)
        {
            DecoderWeights.Layer layer = weights.Layers[i];
            AttentionParameters attention = config.Attention(i);
            stream.AttentionInput(new AttentionInputArguments
            {
                Hidden = hidden,
                NormWeight = layer.AttentionNorm,
                Epsilon = config.NormEpsilon,
                Qkv = layer.Qkv,
                Bias = layer.QkvBias,
                QueryNorm = layer.QueryNorm,
                KeyNorm = layer.KeyNorm,
                Rope = rope,
                Attention = attention,
                Cache = cache,
                Layer = i,
                Slots = slots,
                Normed = normed,
                Output = qkv,
            });
            stream.PagedAttention(qkv.SliceColumns(0, config.QueryHeads * config.HeadSize), cache, i, batch, attention, attended);
            stream.Linear(attended, layer.Output, hidden, layer.OutputBias, accumulate: true);
            stream.FeedForwardInput(new FeedForwardInputArguments
            {
                Hidden = hidden,
                NormWeight = layer.FeedForwardNorm,
                Epsilon = config.NormEpsilon,
                GateUp = layer.GateUp,
                Bias = layer.GateUpBias,
                Activation = config.Activation,
                Normed = normed,
                Projected = projected,
                Output = activated,
            });
            stream.Linear(activated, layer.Down, hidden, layer.DownBias, accumulate: true);
            if (step.Media is { } media && i < media.LayerFeatures.Count)
                Splice(stream, workspace, media.LayerFeatures[i], step, hidden, accumulate: true);
        }

        if (step.LogitRows == 0)
            return;
        TensorView last = workspace.Last.SliceRows(0, step.LogitRows), logits = workspace.Logits.SliceRows(0, step.LogitRows);
        stream.GatherRows(hidden, workspace.LogitRows.SliceColumns(0, step.LogitRows), last);
        stream.RmsNorm(last, weights.FinalNorm, last, config.NormEpsilon);
        stream.Linear(last, weights.Head, logits);
        stream.TopK(logits, workspace.BestIds.SliceRows(0, step.LogitRows), workspace.BestLogits.SliceRows(0, step.LogitRows));
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
internal readonly record struct DecoderStep(
    int Tokens, int Sequences, int MaxQueryLength, int MaxContextLength, int LogitRows, MediaStep? Media = null);

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
