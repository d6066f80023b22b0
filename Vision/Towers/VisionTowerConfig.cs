namespace Portable.Vision.Towers;

/// <summary>
/// Everything that makes one vision tower differ from another, as data. A tower is a linear patch embedding with learned positions or none, blocks
/// h = x + s1 Wo attention(norm(x)); x = h + s2 mlp(norm(h)) with a two-axis rope or none and scales s1, s2 or none, and a connector that turns
/// MergeSize x MergeSize neighbouring patches into one row of the decoder's width. Source of the formulas: arXiv 2409.12191 (Qwen2-VL),
/// 2502.13923 (Qwen2.5-VL), 2410.07073 (Pixtral), 2312.14238 (InternVL), 2303.15343 (SigLIP) and the models' published code.
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

    /// <summary>Whether q, k, v, the attention output and the MLP have biases.</summary>
    public bool HasBiases { get; init; } = true;

    /// <summary>Whether a learned row stands before the patches of each frame.</summary>
    public bool HasClassToken { get; init; }

    /// <summary>Where a norm of the embedded patches stands.</summary>
    public EmbeddingNorm EmbeddingNorm { get; init; }

    /// <summary>Whether what each branch adds is multiplied by a learned row.</summary>
    public bool HasLayerScale { get; init; }

    /// <summary>Whether the last block's output is normed before the connector.</summary>
    public bool HasFinalNorm { get; init; }

    /// <summary>How patches become rows of the decoder's width.</summary>
    public ConnectorKind Connector { get; init; }

    /// <summary>Width inside the connector, where it has one of its own: of the gated MLP of GLM-4V.</summary>
    public int ConnectorSize { get; init; }

    /// <summary>Epsilon of the connector's norms.</summary>
    public float ConnectorEpsilon { get; init; } = 1e-6f;

    /// <summary>Whether the connector's two last layers have biases.</summary>
    public bool ConnectorBias { get; init; } = true;

    /// <summary>Whether rows of tokens end with a learned one, and tiles are put together to one picture (LLaVA).</summary>
    public bool HasNewline { get; init; }

    /// <summary>Where <see cref="HasNewline"/>: how many tiles' worth of tokens an image may have before its rows are made fewer; 0 for any number.</summary>
    public int MostTilesOfTokens { get; init; }

    /// <summary>Merge blocks of an attention window's side; 0 where every block attends over whole frames.</summary>
    public int WindowBlocks { get; init; }

    /// <summary>With windows: the blocks that attend over whole frames all the same.</summary>
    public IReadOnlyList<int> FullAttentionLayers { get; init; } = [];

    /// <summary>Rows and columns of the learned position table; 0 where there is none.</summary>
    public int PositionSide { get; init; }

    /// <summary>How the table is read.</summary>
    public PositionKind Positions { get; init; }

    /// <summary>The rope.</summary>
    public TowerRope Rope { get; init; } = TowerRope.Axial;

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

    /// <summary>The widest row inside the connector.</summary>
    public int ConnectorWidth => Connector switch
    {
        ConnectorKind.Merger => MergedWidth,
        ConnectorKind.GatedMerger => Math.Max(OutputSize, 2 * ConnectorSize),
        _ => Math.Max(OutputSize, MergedWidth),
    };

    /// <summary>Rows before the patches of a frame.</summary>
    public int ClassRows => HasClassToken ? 1 : 0;

    /// <summary>Whether a block attends inside windows.</summary>
    public bool IsWindowed(int layer) => WindowBlocks > 0 && !FullAttentionLayers.Contains(layer);

    /// <summary>
    /// theta^(-2k / (head size / 2)) for k below head size / 4, once for rows and once for columns (Pixtral: for columns those between), rounded to
    /// float32 as the reference does.
    /// </summary>
    public float[] InverseFrequencies()
    {
        int axis = HeadSize / 2;
        var inverse = new float[axis];
        for (int k = 0; k < axis / 2; k++)
        {
            inverse[k] = 1f / (float)Math.Pow(RopeTheta, (float)(2 * k) / axis);
            inverse[k + (axis / 2)] = Rope == TowerRope.Pixtral ? 1f / (float)Math.Pow(RopeTheta, (float)((2 * k) + 1) / axis) : inverse[k];
        }
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

/// <summary>How a learned table of positions is read.</summary>
internal enum PositionKind
{
    /// <summary>Resampled for the grid of each image, bilinear, corners on corners (Qwen3-VL).</summary>
    Bilinear,

    /// <summary>Resampled for the grid of each image, bicubic at the middles of patches (GLM-4V).</summary>
    Bicubic,

    /// <summary>Row by row; all tiles have the table's size.</summary>
    Fixed,
}

/// <summary>The rope of a tower.</summary>
internal enum TowerRope
{
    /// <summary>None.</summary>
    None,

    /// <summary>The same frequencies for rows and for columns.</summary>
    Axial,

    /// <summary>Frequencies of one ladder, for rows and for columns in turn.</summary>
    Pixtral,
}

/// <summary>Where a norm of the embedded patches stands.</summary>
internal enum EmbeddingNorm
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>Before positions are added.</summary>
    BeforePositions,

    /// <summary>After.</summary>
    AfterPositions,
}

/// <summary>How the patches of a block become one row of the decoder's width.</summary>
internal enum ConnectorKind
{
    /// <summary>fc2(gelu(fc1(concat(norm(x))))); each patch normed by itself (Qwen).</summary>
    Merger,

    /// <summary>linear2(gelu(linear1(norm(concat(x))))); InternVL.</summary>
    NormedConcat,

    /// <summary>linear(concat(x)); Idefics-3, SmolVLM.</summary>
    Linear,

    /// <summary>linear2(gelu(linear1(x))); LLaVA, Pixtral.</summary>
    TwoLinear,

    /// <summary>linear(norm(mean(x))); Gemma-3.</summary>
    Pooled,

    /// <summary>linear2(gelu(linear1(merge(concat(norm(x)))))); Mistral-3.</summary>
    MergedTwoLinear,

    /// <summary>down(silu(gate(y)) * up(y)) with y = gelu(norm(proj(downsample(concat(x))))); GLM-4V.</summary>
    GatedMerger,
}
