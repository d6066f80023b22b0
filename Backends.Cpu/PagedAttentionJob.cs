namespace Portable.Backends.Cpu;

/// <summary>Paged attention as kernels see it; every index has been checked. Holds no managed reference.</summary>
internal unsafe struct PagedAttentionJob
{
    /// <summary>[tokens, query heads * head size].</summary>
    public FloatRows Query;

    /// <summary>[tokens, query heads * value size].</summary>
    public FloatRows Output;

    /// <summary>Sizes and form.</summary>
    public AttentionForm Form;

    /// <summary>The keys of the layer, [page][head][place / 16][key size][place % 16]; see <see cref="CpuKvCache"/>.</summary>
    public byte* Keys;

    /// <summary>The values of the layer, [page][head][place][value stride].</summary>
    public byte* Values;

    /// <summary>Elements from one value to the next.</summary>
    public int ValueStride;

    /// <summary>Tokens of a page.</summary>
    public int PageSize;

    /// <summary>Whether elements are float16, else float32.</summary>
    public bool IsHalf;

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

    /// <summary>The block of 16 keys that holds a sequence's position, the key's lane in it, and how many keys follow it in memory, itself included.</summary>
    public readonly byte* KeyBlock(int sequence, int head, int position, out int lane, out int run)
    {
        (int index, int place) = Math.DivRem(position, PageSize);
        long page = PageTable[(sequence * PageTableStride) + index];
        run = PageSize - place;
        lane = place % CpuKvCache.Padding;
        return Keys + (((((page * Form.KeyHeads) + head) * CpuKvCache.Pad(PageSize)) + place - lane) * Form.HeadSize * (IsHalf ? 2 : 4));
    }

    /// <summary>The value of a sequence's position, and how many follow it in memory, itself included.</summary>
    public readonly byte* Value(int sequence, int head, int position, out int run)
    {
        (int index, int place) = Math.DivRem(position, PageSize);
        long page = PageTable[(sequence * PageTableStride) + index];
        run = PageSize - place;
        return Values + (((((page * Form.KeyHeads) + head) * PageSize) + place) * ValueStride * (IsHalf ? 2 : 4));
    }
}
