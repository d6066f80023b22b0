namespace Portable.Backends.Cpu;

/// <summary>Attention inside segments as kernels see it; every index has been checked. Holds no managed reference.</summary>
internal unsafe struct SegmentAttentionJob
{
    /// <summary>[tokens, query heads * head size].</summary>
    public FloatRows Query;

    /// <summary>[tokens, key heads * head size].</summary>
    public FloatRows Keys;

    /// <summary>[tokens, key heads * value size].</summary>
    public FloatRows Values;

    /// <summary>[tokens, query heads * value size].</summary>
    public FloatRows Output;

    /// <summary>Sizes and form.</summary>
    public AttentionForm Form;

    /// <summary>[segments + 1]: rows of each segment.</summary>
    public int* Offsets;

    /// <summary>Number of segments.</summary>
    public int Segments;

    /// <summary>Whether a query sees only keys up to itself.</summary>
    public bool Causal;

    /// <summary>The keys, counted from the segment's start, that a query at a position of a segment sees.</summary>
    public readonly void Visible(int length, int position, out int first, out int end)
    {
        first = Form.FirstKey(position);
        end = Causal ? position + 1 : length;
    }
}
