namespace Portable.Backends.Cpu;

/// <summary>Paged attention as kernels see it; every index has been checked.</summary>
internal unsafe ref struct PagedAttentionJob
{
    /// <summary>[tokens, query heads * head size].</summary>
    public FloatRows Query;

    /// <summary>[tokens, query heads * value size].</summary>
    public FloatRows Output;

    /// <summary>Keys and values.</summary>
    public CpuKvCache Pages;

    /// <summary>The layer in the cache.</summary>
    public int Layer;

    /// <summary>Sizes and form.</summary>
    public AttentionForm Form;

    /// <summary>[sequences + 1]: rows of each sequence.</summary>
    public int* Offsets;

    /// <summary>[sequences]: tokens of each sequence.</summary>
    public int* Contexts;

    /// <summary>[tokens]: one past the last key that a row sees, or null for causal.</summary>
    public int* VisibleEnds;

    /// <summary>[sequences, pages].</summary>
    public int* PageTable;

    /// <summary>Elements from one sequence's pages to the next.</summary>
    public nint PageTableStride;

    /// <summary>Number of sequences.</summary>
    public int Sequences;

    /// <summary>The keys that a row of a sequence sees.</summary>
    public readonly void Visible(int sequence, int row, out int first, out int end)
    {
        int context = Contexts[sequence];
        int position = context - (Offsets[sequence + 1] - row);
        first = Form.FirstKey(position);
        end = VisibleEnds is null ? position + 1 : Math.Min(VisibleEnds[row], context);
    }
}
