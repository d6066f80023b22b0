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

    /// <summary>The rows of a group.</summary>
    void Rows(int group, out int first, out int end);

    /// <summary>The keys that a row of a group sees, counted from the group's first key.</summary>
    void Visible(int group, int row, out int first, out int end);

    /// <summary>
    /// Keys from a position on: where they lie, or copied to the scratch, padded to whole vectors.
    /// </summary>
    /// <param name="group">The group.</param>
    /// <param name="head">The key head.</param>
    /// <param name="position">The first key.</param>
    /// <param name="limit">The most keys wanted.</param>
    /// <param name="scratch">[limit, padded key size].</param>
    /// <param name="stride">Receives the elements from one key to the next.</param>
    /// <param name="run">Receives the keys found, at least 1.</param>
    float* Keys<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged;

    /// <summary>The same for values.</summary>
    float* Values<TSimd, TVector>(int group, int head, int position, int limit, float* scratch, out nint stride, out int run)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged;
}
