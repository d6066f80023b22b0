namespace Portable.Vision.Towers;

/// <summary>
/// Everything that makes one vision tower differ from another, as data. A tower is a linear patch embedding, blocks
/// h = x + Wo attention(norm(x)); x = h + mlp(norm(h)) with a two-axis rope, and a merger that turns MergeSize x MergeSize
/// neighbouring patches into one row of the decoder's width: fc2(gelu(fc1(concat(norm(x))))). Source of the formulas:
/// arXiv 2409.12191 (Qwen2-VL), 2502.13923 (Qwen2.5-VL) and the models' published code.
/// </summary>
internal sealed record VisionTowerConfig
{
    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Attention heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Width of the MLP.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Width of what the merger gives: the decoder's hidden size.</summary>
    public required int OutputSize { get; init; }

    /// <summary>Pixels of a patch's side.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Frames of a patch.</summary>
    public required int TemporalPatchSize { get; init; }

    /// <summary>Patches of a merge block's side.</summary>
    public required int MergeSize { get; init; }

    /// <summary>The norm.</summary>
    public required NormKind Norm { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary>The MLP's activation.</summary>
    public required ActivationKind Activation { get; init; }

    /// <summary>Whether the MLP is down(act(gate(x)) * up(x)), else fc2(act(fc1(x))).</summary>
    public bool IsGated { get; init; }

    /// <summary>Whether the patch embedding has a bias.</summary>
    public bool PatchBias { get; init; }

    /// <summary>Merge blocks of an attention window's side; 0 where every block attends over whole frames.</summary>
    public int WindowBlocks { get; init; }

    /// <summary>With windows: the blocks that attend over whole frames all the same.</summary>
    public IReadOnlyList<int> FullAttentionLayers { get; init; } = [];

    /// <summary>Rows and columns of the learned position table; 0 where there is none.</summary>
    public int PositionSide { get; init; }

    /// <summary>Blocks whose output is merged too and added after decoder layers 0, 1, …; ascending.</summary>
    public IReadOnlyList<int> DeepstackLayers { get; init; } = [];

    /// <summary>Base of the rope's frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Elements of a head; a multiple of 4.</summary>
    public int HeadSize => Width / Heads;

    /// <summary>Values of one patch: RGB, frames, rows, columns.</summary>
    public int PatchLength => 3 * TemporalPatchSize * PatchSize * PatchSize;

    /// <summary>Patches that become one token.</summary>
    public int BlockPatches => MergeSize * MergeSize;

    /// <summary>Width of the merger: the patches of a block side by side.</summary>
    public int MergedWidth => BlockPatches * Width;

    /// <summary>Whether a block attends inside windows.</summary>
    public bool IsWindowed(int layer) => WindowBlocks > 0 && !FullAttentionLayers.Contains(layer);

    /// <summary>
    /// theta^(-2k / (head size / 2)) for k below head size / 4, once for rows and once for columns, rounded to float32 as
    /// the reference does.
    /// </summary>
    public float[] InverseFrequencies()
    {
        int axis = HeadSize / 2;
        var inverse = new float[axis];
        for (int k = 0; k < axis / 2; k++)
            inverse[k] = inverse[k + (axis / 2)] = 1f / (float)Math.Pow(RopeTheta, (float)(2 * k) / axis);
        return inverse;
    }

    /// <summary>The axis of each frequency: 0 for the row, 1 for the column of a patch.</summary>
    public int[] FrequencyAxes()
    {
        var axes = new int[HeadSize / 2];
        axes.AsSpan(axes.Length / 2).Fill(1);
        return axes;
    }
}
