namespace Portable.Decoding.Architecture;

/// <summary>How frequencies are divided among the axes of a multi-axis (multimodal) rope.</summary>
internal enum RopeSectionOrder
{
    /// <summary>First section[0] frequencies on axis 0, then section[1] on axis 1, and so on (Qwen2-VL, Qwen2.5-VL).</summary>
    Chunked,

    /// <summary>Axis 0 unless j % 3 is 1 (axis 1) or 2 (axis 2) and j is below 3 * section of that axis (Qwen3-VL).</summary>
    Interleaved,
}

/// <summary>A rotary embedding as data: inverse frequencies, and the axis of positions that each one reads.</summary>
internal sealed record RopeConfig
{
    /// <summary>The base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary>Elements of a head that rotate; even, at most the head size.</summary>
    public required int RotaryDimensions { get; init; }

    /// <summary>Which elements rotate together.</summary>
    public RopeStyle Style { get; init; } = RopeStyle.Halves;

    /// <summary>How frequencies are changed for contexts beyond the trained one.</summary>
    public RopeScaling Scaling { get; init; } = RopeScaling.None;

    /// <summary>Divides each inverse frequency (GGUF's rope_freqs), or null.</summary>
    public IReadOnlyList<float>? FrequencyFactors { get; init; }

    /// <summary>Frequencies per axis of a multi-axis rope; null for plain text.</summary>
    public IReadOnlyList<int>? Sections { get; init; }

    /// <summary>How the sections are laid out.</summary>
    public RopeSectionOrder SectionOrder { get; init; }

    /// <summary>Rows of the positions: 3 for a multi-axis rope, else 1.</summary>
    public int Axes => Sections is null ? 1 : 3;

    /// <summary>The inverse frequencies of sequences that may reach a number of tokens, theta^(-2j / d), scaled; in float32.</summary>
    public float[] InverseFrequencies(int tokens)
    {
        float[] inverse = Scaling.InverseFrequencies(Theta, RotaryDimensions, tokens);
        if (FrequencyFactors is not null)
        {
            for (int j = 0; j < inverse.Length; j++)
                inverse[j] /= FrequencyFactors[j];
        }

        return inverse;
    }

    /// <summary>The axis that each frequency reads.</summary>
    public int[] FrequencyAxes()
    {
        int half = RotaryDimensions / 2;
        var axes = new int[half];
        if (Sections is null)
            return axes;
        if (SectionOrder == RopeSectionOrder.Interleaved)
        {
            for (int j = 0; j < half; j++)
                axes[j] = j % 3 != 0 && j < 3 * Sections[j % 3] ? j % 3 : 0;
            return axes;
        }

        int next = 0;
        for (int axis = 0; axis < Sections.Count; axis++)
        {
            for (int k = 0; k < Sections[axis] && next < half; k++)
                axes[next++] = axis;
        }

        return axes;
    }
}
