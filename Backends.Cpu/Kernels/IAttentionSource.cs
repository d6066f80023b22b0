namespace Portable.Backends.Cpu;

/// <summary>Where attention finds its rows: pages or packed segments. A group is a sequence or a segment.</summary>
internal unsafe interface IAttentionSource
{
    /// <summary>Sizes and form.</summary>
    AttentionForm Form { get; }

    /// <summary>[tokens, query heads * head size].</summary>
    FloatRows Query { get; }

    /// <summary>[tokens, query heads * value size].</summary>
    FloatRows Output { get; }

    /// <summary>Sequences or segments.</summary>
    int Groups { get; }

    /// <summary>The most blocks of keys that <see cref="Keys"/> gives for this many keys.</summary>
    int KeyBlocks(int keys);

    /// <summary>The rows of a group.</summary>
    void Rows(int group, out int first, out int end);

    /// <summary>The keys that a row of a group sees, counted from the group's first key.</summary>
    void Visible(int group, int row, out int first, out int end);

    /// <summary>
    /// Keys in blocks of <see cref="ScoreProducts.Lanes"/>, [head size][lanes], where they lie or copied to the scratch. Lanes that are no key of the
    /// range hold anything.
    /// </summary>
    /// <param name="group">The group.</param>
    /// <param name="head">The key head.</param>
    /// <param name="from">The first key.</param>
    /// <param name="to">One past the last key.</param>
    /// <param name="scratch">Memory for <see cref="KeyBlocks"/> blocks.</param>
    /// <param name="blocks">Receives where each block is.</param>
    /// <param name="columns">Receives the key, counted from <paramref name="from"/>, that a block's first lane holds: ascending, the first perhaps negative.</param>
    /// <returns>The number of blocks.</returns>
    int Keys<TSimd, TVector>(int group, int head, int from, int to, float* scratch, float** blocks, int* columns)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged;

    /// <summary>Values from a position on: where they lie, or copied to the scratch, padded to whole vectors.</summary>
    /// <param name="group">The group.</param>
    /// <param name="head">The key head.</param>
    /// <param name="position">The first key.</param>
    /// <param name="limit">The most values wanted.</param>
    /// <param name="scratch">[limit, padded value size].</param>
    /// <param name="stride">Receives the elements from one value to the next.</param>
    /// <param name="run">Receives the values found, at least 1.</param>
    float* Values<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged;
}
