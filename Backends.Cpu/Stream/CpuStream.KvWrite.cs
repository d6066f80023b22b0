namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnKvWrite(TensorView keys, TensorView values, KvCache cache, int layer, TensorView slots)
    {
        CpuKvCache pages = Live(cache);
        int* places = Ints(slots);
        long limit = pages.Layout.Tokens;
        for (int t = 0; t < keys.Rows; t++)
        {
            if (places[t] >= limit)
                throw new ArgumentOutOfRangeException(nameof(slots), $"KvWrite: slot {places[t]} at {t} is outside the cache's {limit} tokens");
        }

        FloatRows keyRows = Rows(keys), valueRows = Rows(values);
        KvCacheLayout layout = pages.Layout;
        for (int t = 0; t < keys.Rows; t++)
        {
            if (places[t] < 0)
                continue;
            (int page, int place) = Math.DivRem(places[t], layout.PageSize);
            for (int h = 0; h < layout.KeyHeads; h++)
            {
                Store(pages, keyRows.Row(t) + (h * layout.KeySize), layout.KeySize, pages.Keys(layer, page, h), place, pages.KeyStride);
                Store(pages, valueRows.Row(t) + (h * layout.ValueSize), layout.ValueSize, pages.Values(layer, page, h), place, pages.ValueStride);
            }
        }
    }

    private static CpuKvCache Live(KvCache cache)
    {
        var own = (CpuKvCache)cache;
        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        return own;
    }

    private static void Store(CpuKvCache pages, float* source, int size, byte* run, int place, int stride)
    {
        byte* destination = run + ((long)place * stride * pages.ElementBytes);
        if (pages.Layout.Format == KvFormat.Float32)
            Buffer.MemoryCopy(source, destination, stride * sizeof(float), size * sizeof(float));
        else
            CastKernel.Run((byte*)source, ElementType.Float32, destination, ElementType.Float16, size);
        new Span<byte>(destination + (size * pages.ElementBytes), (stride - size) * pages.ElementBytes).Clear();
    }
}
