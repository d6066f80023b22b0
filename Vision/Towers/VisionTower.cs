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
        int patches = grid.Patches, rows = patches + (grid.Frames * config.ClassRows);
        TensorView hidden = workspace.Hidden.SliceRows(0, rows), qkv = workspace.Qkv.SliceRows(0, rows);
        TensorView attended = workspace.Attended.SliceRows(0, rows);
        TensorView? angles = config.Rope == TowerRope.None ? null : workspace.Angles.SliceRows(0, patches);

        EmbedPatches(stream, workspace, image, grid, config.WindowBlocks > 0 ? attended : hidden);
        SegmentBatch frames = UploadOffsets(stream, workspace.FrameOffsets, [.. grid.FrameOffsets().Select((offset, frame) => offset + (frame * config.ClassRows))]);
        SegmentBatch windows = frames;
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

        if (angles is { } turned)
        {
            TensorView positions = workspace.Positions.SliceColumns(0, 2 * patches).Reshape(2, patches);
            stream.Upload<int>(positions, grid.Positions(order));
            stream.RopeAngles(positions, weights.Rope, turned);
        }

        int tapped = 0;
        for (int i = 0; i < weights.Blocks.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            VisionTowerWeights.Block block = weights.Blocks[i];
            Attention(stream, workspace, block, angles, config.IsWindowed(i) ? windows : frames, hidden, qkv, attended);
            FeedForward(stream, workspace, block, hidden);
            if (tapped < config.DeepstackLayers.Count && config.DeepstackLayers[tapped] == i)
                Merge(stream, workspace, weights.DeepstackMergers[tapped], grid, hidden, layerFeatures[tapped++]);
        }

        if (weights.FinalNorm is { } norm)
            Norm(stream, hidden, norm, hidden);
        Merge(stream, workspace, weights.FinalMerger, grid, hidden, features);
    }

    /// <summary>Where patches stand among the rows: all together, or those of each frame behind the row before them.</summary>
    private IEnumerable<(int Row, int Patch, int Count)> Runs(PatchGrid grid)
    {
        if (!config.HasClassToken)
        {
            yield return (0, 0, grid.Patches);
            yield break;
        }

        int each = grid.Rows * grid.Columns;
        for (int frame = 0; frame < grid.Frames; frame++)
            yield return ((frame * (each + 1)) + 1, frame * each, each);
    }

    private TensorView Blocks(TensorView rows) => rows.Reshape(rows.Rows / config.BlockPatches, config.MergedWidth);

    private void EmbedPatches(CommandStream stream, VisionWorkspace workspace, ProcessedImage image, PatchGrid grid, TensorView output)
    {
        int[]? positions = weights.Positions is null ? null : grid.Positions(null);
        float[] resampled = positions is null ? [] : new float[workspace.ChunkPatches * config.Width];
        foreach ((int firstRow, int firstPatch, int all) in Runs(grid))
        {
            if (weights.ClassRow is { } before)
                stream.Copy(Stage(before, config.Width), output.SliceRows(firstRow - 1, 1));
            for (int start = 0; start < all; start += workspace.ChunkPatches)
            {
                int count = Math.Min(workspace.ChunkPatches, all - start), patch = firstPatch + start;
                TensorView rows = output.SliceRows(firstRow + start, count);
                TensorView patches = Stage(image.PixelValues.Span.Slice(patch * config.PatchLength, count * config.PatchLength), config.PatchLength);
                stream.Linear(patches, weights.PatchEmbedding, rows, weights.PatchBias);
                if (config.EmbeddingNorm == EmbeddingNorm.BeforePositions)
                    Norm(stream, rows, weights.EmbeddingNorm!.Value, rows);
                if (positions is null)
                    continue;
                Span<float> added = resampled.AsSpan(0, count * config.Width);
                weights.Positions!.Resample(grid, positions, patch, added);
                stream.Add(rows, Stage(added, config.Width), rows);
            }
        }

        if (config.EmbeddingNorm == EmbeddingNorm.AfterPositions)
            Norm(stream, output, weights.EmbeddingNorm!.Value, output);

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
        CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Block block, TensorView? angles, SegmentBatch segments,
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
        if (angles is { } turned)
        {
            var rope = new RopeArguments(turned, RopeStyle.Halves);
            stream.Rope(query, config.HeadSize, rope);
            stream.Rope(key, config.HeadSize, rope);
        }

        var attention = new AttentionParameters(config.Heads, config.Heads, config.HeadSize, (float)(1 / Math.Sqrt(config.HeadSize)));
        stream.SegmentAttention(query, key, value, segments, attention, causal: false, attended);
        for (int start = 0; start < hidden.Rows && block.AttentionScale is not null; start += workspace.ChunkPatches)
        {
            int count = Math.Min(workspace.ChunkPatches, hidden.Rows - start);
            AddBranch(stream, workspace, attended.SliceRows(start, count), block.Output, block.OutputBias, block.AttentionScale, hidden.SliceRows(start, count));
        }

        if (block.AttentionScale is null)
            AddBranch(stream, workspace, attended, block.Output, block.OutputBias, null, hidden);
    }

    /// <summary>Adds W x + bias to rows of the residual stream, times a scale where there is one.</summary>
    private static void AddBranch(
        CommandStream stream, VisionWorkspace workspace, TensorView input, DeviceWeight weight, TensorView? bias, TensorView? scale, TensorView rows)
    {
        if (scale is not { } factor)
        {
            stream.Linear(input, weight, rows, bias, accumulate: true);
            return;
        }

        // What the branch read is not needed any more.
        TensorView branch = workspace.Normed.SliceRows(0, rows.Rows);
        stream.Linear(input, weight, branch, bias);
        stream.Multiply(branch, factor, branch);
        stream.Add(rows, branch, rows);
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
            AddBranch(stream, workspace, activated, block.Down, block.DownBias, block.FeedForwardScale, rows);
        }
    }

    /// <summary>Turns the patches of each block into a token, and puts the tokens into row order.</summary>
    private void Merge(CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Connector connector, PatchGrid grid, TensorView hidden, TensorView output)
    {
        int blocks = output.Rows, chunk = workspace.ChunkPatches / config.BlockPatches;
        bool isOrdered = config.WindowBlocks == 0;
        TensorView merged = isOrdered ? output : workspace.Merged.SliceRows(0, blocks);
        foreach ((int firstRow, int firstPatch, int all) in Runs(grid))
        {
            for (int start = 0; start < all / config.BlockPatches; start += chunk)
            {
                int count = Math.Min(chunk, (all / config.BlockPatches) - start), patches = count * config.BlockPatches;
                TensorView rows = hidden.SliceRows(firstRow + (start * config.BlockPatches), patches);
                Connect(stream, workspace, connector, rows, merged.SliceRows((firstPatch / config.BlockPatches) + start, count));
            }
        }

        if (!isOrdered)
            stream.GatherRows(merged, workspace.RowOrder.SliceColumns(0, blocks), output);
    }

    private void Connect(CommandStream stream, VisionWorkspace workspace, VisionTowerWeights.Connector connector, TensorView rows, TensorView output)
    {
        TensorView normed = workspace.Normed.SliceRows(0, rows.Rows);
        if (connector.PatchNorm is { } patchNorm)
        {
            Norm(stream, rows, patchNorm, normed);
            rows = normed;
        }

        TensorView current = connector.IsPooled ? Pooled(stream, workspace, rows) : Blocks(rows);
        bool isFirst = false;
        for (int i = 0; i < connector.Steps.Count; i++)
        {
            TensorView Next(int width)
            {
                if (i == connector.Steps.Count - 1)
                    return output;
                isFirst = !isFirst;
                return (isFirst ? workspace.MergedChunk : workspace.OtherChunk).SliceRows(0, output.Rows).SliceColumns(0, width);
            }

            switch (connector.Steps[i])
            {
                case VisionTowerWeights.LinearStep linear:
                    TensorView result = Next(linear.Weight.Rows);
                    stream.Linear(current, linear.Weight, result, linear.Bias);
                    current = result;
                    break;
                case VisionTowerWeights.NormStep norm when i == 0 && !connector.IsPooled:
                    // What stands before the first step is the residual stream itself.
                    Norm(stream, current, norm, Blocks(normed));
                    current = Blocks(normed);
                    break;
                case VisionTowerWeights.NormStep norm:
                    Norm(stream, current, norm, current);
                    break;
                case VisionTowerWeights.ActivationStep activation:
                    stream.Activation(current, current, activation.Kind);
                    break;
                case VisionTowerWeights.GatedStep gated:
                    int width = gated.GateUp.Rows / 2;
                    TensorView both = Next(2 * width), activated = Next(width);
                    stream.Linear(current, gated.GateUp, both);
                    stream.GatedActivation(both.SliceColumns(0, width), both.SliceColumns(width, width), activated, gated.Kind);
                    current = activated;
                    break;
                default:
                    throw new InvalidOperationException($"a connector's {connector.Steps[i].GetType().Name}");
            }
        }
    }

    /// <summary>The mean of the patches of each block.</summary>
    private TensorView Pooled(CommandStream stream, VisionWorkspace workspace, TensorView rows)
    {
        TensorView blocks = Blocks(rows), sum = workspace.OtherChunk.SliceRows(0, blocks.Rows).SliceColumns(0, config.Width);
        stream.Fill(sum, 0);
        for (int i = 0; i < config.BlockPatches; i++)
            stream.Add(sum, blocks.SliceColumns(i * config.Width, config.Width), sum, 1f / config.BlockPatches);
        return sum;
    }

    private static void Norm(CommandStream stream, TensorView input, VisionTowerWeights.NormStep norm, TensorView output)
    {
        if (norm.Kind == NormKind.Layer)
            stream.LayerNorm(input, norm.Weights.Weight, norm.Weights.Bias, output, norm.Epsilon);
        else
            stream.RmsNorm(input, norm.Weights.Weight, output, norm.Epsilon);
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
