using Portable.Vision.Processing;

namespace Portable.Vision.Towers;

/// <summary>
/// Runs a vision tower on a device: patches in, rows of the decoder's embedding out. The host prepares only data:
/// patches, positions, the window order and the resampled position table. Used by one thread at a time.
/// </summary>
internal sealed class VisionTower(VisionTowerConfig config, VisionTowerWeights weights)
{
    public VisionTowerConfig Config => config;

    /// <summary>Enqueues a run; cancelling between blocks leaves the output undefined.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="workspace">Room for the image's patches. Its Hidden holds the last block's output afterwards.</param>
    /// <param name="image">The image; its grid's sides are multiples of the merge size.</param>
    /// <param name="features">[tokens, output].</param>
    /// <param name="layerFeatures">Per tapped block [tokens, output].</param>
    /// <param name="cancellation">Cancels.</param>
    public void Enqueue(
        CommandStream stream, VisionWorkspace workspace, ProcessedImage image, TensorView features, IReadOnlyList<TensorView> layerFeatures,
        CancellationToken cancellation)
    {
        var grid = new PatchGrid(image.GridT, image.GridH, image.GridW, image.MergeSize);
        int patches = grid.Patches;
        TensorView hidden = workspace.Hidden.SliceRows(0, patches), qkv = workspace.Qkv.SliceRows(0, patches);
        TensorView attended = workspace.Attended.SliceRows(0, patches), angles = workspace.Angles.SliceRows(0, patches);

        EmbedPatches(stream, workspace, image, grid, config.WindowBlocks > 0 ? attended : hidden);
        SegmentBatch frames = UploadOffsets(stream, workspace.FrameOffsets, grid.FrameOffsets()), windows = frames;
        int[]? order = null;
        if (config.WindowBlocks > 0)
        {
            order = grid.WindowOrder(config.WindowBlocks, out int[] offsets);
            windows = UploadOffsets(stream, workspace.WindowOffsets, offsets);
            TensorView places = workspace.WindowOrder.SliceColumns(0, grid.Blocks);
            stream.Upload<int>(places, order);
            stream.Upload<int>(workspace.RowOrder.SliceColumns(0, grid.Blocks), PatchGrid.Inverse(order));
            stream.GatherRows(Blocks(attended), places, Blocks(hidden));
        }

        TensorView positions = workspace.Positions.SliceColumns(0, 2 * patches).Reshape(2, patches);
        stream.Upload<int>(positions, grid.Positions(order));
        stream.RopeAngles(positions, weights.Rope, angles);
        int tapped = 0;
        for (int i = 0; i < weights.Blocks.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            VisionTowerWeights.Block block = weights.Blocks[i];
            Attention(stream, workspace, block, angles, config.IsWindowed(i) ? windows : frames, hidden, qkv, attended);
            FeedForward(stream, workspace, block, hidden);
            if (tapped < config.DeepstackLayers.Count && config.DeepstackLayers[tapped] == i)
                Merge(stream, workspace, weights.DeepstackMergers[tapped], hidden, layerFeatures[tapped++]);
        }

        Merge(stream, workspace, weights.FinalMerger, hidden, features);
    }

    private TensorView Blocks(TensorView rows) => rows.Reshape(rows.Rows / config.BlockPatches, config.MergedWidth);

    private void EmbedPatches(CommandStream stream, VisionWorkspace workspace, ProcessedImage image, PatchGrid grid, TensorView output)
    {
        int[]? positions = weights.Positions is null ? null : grid.Positions(null);
        float[] resampled = positions is null ? [] : new float[workspace.ChunkPatches * config.Width];
        for (int start = 0; start < grid.Patches; start += workspace.ChunkPatches)
        {
            int count = Math.Min(workspace.ChunkPatches, grid.Patches - start);
            TensorView rows = output.SliceRows(start, count);
            TensorView patches = Stage(image.PixelValues.Span.Slice(start * config.PatchLength, count * config.PatchLength), config.PatchLength);
            stream.Linear(patches, weights.PatchEmbedding, rows, weights.PatchBias);
            if (positions is null)
                continue;
            Span<float> added = resampled.AsSpan(0, count * config.Width);
            weights.Positions!.Resample(grid, positions, start, added);
            stream.Add(rows, Stage(added, config.Width), rows);
        }

        TensorView Stage(ReadOnlySpan<float> values, int width)
        {
            TensorView staged = workspace.Staged.SliceColumns(0, values.Length).Reshape(values.Length / width, width);
            stream.Upload(staged, values);
            if (workspace.Cast.Type == ElementType.Float32)
                return staged;
            TensorView cast = workspace.Cast.SliceColumns(0, values.Length).Reshape(values.Length / width, width);
            stream.Copy(staged, cast);
            return cast;
        }
    }

    private void Attention(
        CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Block block, TensorView angles, SegmentBatch segments,
        TensorView hidden, TensorView qkv, TensorView attended)
    {
        for (int start = 0; start < hidden.Rows; start += workspace.ChunkPatches)
        {
            int count = Math.Min(workspace.ChunkPatches, hidden.Rows - start);
            TensorView normed = workspace.Normed.SliceRows(0, count);
            Norm(stream, hidden.SliceRows(start, count), block.AttentionNorm, normed);
            stream.Linear(normed, block.Qkv, qkv.SliceRows(start, count), block.QkvBias);
        }

        int width = config.Width;
        TensorView query = qkv.SliceColumns(0, width), key = qkv.SliceColumns(width, width), value = qkv.SliceColumns(2 * width, width);
        var rope = new RopeArguments(angles, RopeStyle.Halves);
        stream.Rope(query, config.HeadSize, rope);
        stream.Rope(key, config.HeadSize, rope);
        var attention = new AttentionParameters(config.Heads, config.Heads, config.HeadSize, (float)(1 / Math.Sqrt(config.HeadSize)));
        stream.SegmentAttention(query, key, value, segments, attention, causal: false, attended);
        stream.Linear(attended, block.Output, hidden, block.OutputBias, accumulate: true);
    }

    private void FeedForward(CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Block block, TensorView hidden)
    {
        int width = config.FeedForwardSize;
        for (int start = 0; start < hidden.Rows; start += workspace.ChunkPatches)
        {
            int count = Math.Min(workspace.ChunkPatches, hidden.Rows - start);
            TensorView rows = hidden.SliceRows(start, count), normed = workspace.Normed.SliceRows(0, count);
            TensorView projected = workspace.Projected.SliceRows(0, count), activated = workspace.Activated.SliceRows(0, count);
            Norm(stream, rows, block.FeedForwardNorm, normed);
            stream.Linear(normed, block.Up, projected, block.UpBias);
            if (config.IsGated)
                stream.GatedActivation(projected.SliceColumns(0, width), projected.SliceColumns(width, width), activated, config.Activation);
            else
                stream.Activation(projected, activated, config.Activation);
            stream.Linear(activated, block.Down, rows, block.DownBias, accumulate: true);
        }
    }

    /// <summary>Merges the patches of each block, and puts the tokens into row order.</summary>
    private void Merge(CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Merger merger, TensorView hidden, TensorView output)
    {
        int blocks = output.Rows, chunk = workspace.ChunkPatches / config.BlockPatches;
        bool isOrdered = config.WindowBlocks == 0;
        TensorView merged = isOrdered ? output : workspace.Merged.SliceRows(0, blocks);
        for (int start = 0; start < blocks; start += chunk)
        {
            int count = Math.Min(chunk, blocks - start), patches = count * config.BlockPatches;
            TensorView rows = hidden.SliceRows(start * config.BlockPatches, patches), normed = workspace.Normed.SliceRows(0, patches);
            TensorView inner = workspace.MergedChunk.SliceRows(0, count);
            if (merger.NormAfterConcat)
                Norm(stream, Blocks(rows), merger.Norm, Blocks(normed));
            else
                Norm(stream, rows, merger.Norm, normed);
            stream.Linear(Blocks(normed), merger.First, inner, merger.FirstBias);
            stream.Activation(inner, inner, ActivationKind.Gelu);
            stream.Linear(inner, merger.Second, merged.SliceRows(start, count), merger.SecondBias);
        }

        if (!isOrdered)
            stream.GatherRows(merged, workspace.RowOrder.SliceColumns(0, blocks), output);
    }

    private void Norm(CommandStream stream, TensorView input, VisionTowerWeights.NormWeights norm, TensorView output)
    {
        if (config.Norm == NormKind.Layer)
            stream.LayerNorm(input, norm.Weight, norm.Bias, output, config.NormEpsilon);
        else
            stream.RmsNorm(input, norm.Weight, output, config.NormEpsilon);
    }

    private static SegmentBatch UploadOffsets(CommandStream stream, TensorView view, int[] offsets)
    {
        TensorView used = view.SliceColumns(0, offsets.Length);
        stream.Upload<int>(used, offsets);
        int longest = 0;
        for (int i = 1; i < offsets.Length; i++)
            longest = Math.Max(longest, offsets[i] - offsets[i - 1]);
        return new SegmentBatch(used, offsets.Length - 1, longest);
    }
}
