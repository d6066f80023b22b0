namespace Portable;

/// <summary>How keys and values are stored.</summary>
public enum KvFormat
{
    /// <summary>float32.</summary>
    Float32,

    /// <summary>float16.</summary>
    Float16,

    /// <summary>Signed 8 bit with a scale per token and head.</summary>
    Int8,

    /// <summary>Unsigned 4 bit with scale and minimum per token and head.</summary>
    Int4,
}

/// <summary>The shape of a paged KV cache.</summary>
/// <param name="Layers">Layers that keep keys and values.</param>
/// <param name="KeyHeads">Heads of keys and values.</param>
/// <param name="KeySize">Elements of a key head.</param>
/// <param name="ValueSize">Elements of a value head.</param>
/// <param name="PageSize">Tokens per page.</param>
/// <param name="Pages">Pages of each layer; a page number means the same page in all layers.</param>
/// <param name="Format">How elements are stored.</param>
public sealed record KvCacheLayout(int Layers, int KeyHeads, int KeySize, int ValueSize, int PageSize, int Pages, KvFormat Format)
{
    /// <summary>Tokens that fit.</summary>
    public long Tokens => (long)PageSize * Pages;
}

/// <summary>Pages of keys and values on a device, in the device's own order. Which page holds what is the engine's business.</summary>
public abstract class KvCache : IDisposable
{
    /// <summary>Creates the handle.</summary>
    protected KvCache(KvCacheLayout layout, long bytes)
    {
        Layout = layout;
        Bytes = bytes;
    }

    /// <summary>The shape.</summary>
    public KvCacheLayout Layout { get; }

    /// <summary>Device memory taken.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}
