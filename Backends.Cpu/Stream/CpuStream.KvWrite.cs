using System.Runtime.CompilerServices;

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

        if (keys.Rows == 0)
            return;
        KvCacheLayout layout = pages.Layout;
        KvJob job = new()
        {
            KeyRows = Rows(keys), ValueRows = Rows(values), Slots = places, PageSize = layout.PageSize, Heads = layout.KeyHeads, KeySize = layout.KeySize,
            ValueSize = layout.ValueSize, ValueStride = pages.ValueStride, IsHalf = layout.Format == KvFormat.Float16, Keys = pages.Keys(layer, 0, 0), Values = pages.Values(layer, 0, 0),
        };
        RunRows(&Write, &job, keys.Rows, 2L * layout.KeyHeads * (layout.KeySize + layout.ValueSize));
        GC.KeepAlive(pages);

        static void Write(void* argument, int worker, int chunk)
        {
            var job = (KvJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            int elementBytes = job->IsHalf ? 2 : 4;
            for (int t = first; t < end; t++)
            {
                if (job->Slots[t] < 0)
                    continue;
                (long page, long place) = Math.DivRem((long)job->Slots[t], job->PageSize);
                for (int h = 0; h < job->Heads; h++)
                {
                    long run = (page * job->Heads) + h, lane = place % CpuKvCache.Padding;
                    byte* key = job->Keys + (((((run * CpuKvCache.Pad(job->PageSize)) + place - lane) * job->KeySize) + lane) * elementBytes);
                    StoreKey(job->KeyRows.Row(t) + (h * job->KeySize), job->KeySize, key, job->IsHalf);
                    byte* value = job->Values + (((run * job->PageSize) + place) * job->ValueStride * elementBytes);
                    StoreValue(job->ValueRows.Row(t) + (h * job->ValueSize), job->ValueSize, value, job->ValueStride, job->IsHalf);
                }
            }
        }
    }

    private static CpuKvCache Live(KvCache cache)
    {
        var own = (CpuKvCache)cache;
        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        return own;
    }

    // Elements of a key lie 16 apart.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreKey(float* source, int size, byte* destination, bool isHalf)
    {
        if (!isHalf)
        {
            for (nint i = 0; i < size; i++)
                ((float*)destination)[i * CpuKvCache.Padding] = source[i];
            return;
        }

        const int Piece = 256;
        ushort* halves = stackalloc ushort[Piece];
        for (nint start = 0; start < size; start += Piece)
        {
            int count = (int)Math.Min(Piece, size - start);
            CastKernel.Run((byte*)(source + start), ElementType.Float32, (byte*)halves, ElementType.Float16, count);
            for (nint i = 0; i < count; i++)
                ((ushort*)destination)[(start + i) * CpuKvCache.Padding] = halves[i];
        }
    }

    private static void StoreValue(float* source, int size, byte* destination, int stride, bool isHalf)
    {
        int elementBytes = isHalf ? 2 : 4;
        if (isHalf)
            CastKernel.Run((byte*)source, ElementType.Float32, destination, ElementType.Float16, size);
        else
            Buffer.MemoryCopy(source, destination, stride * sizeof(float), size * sizeof(float));
        new Span<byte>(destination + (size * elementBytes), (stride - size) * elementBytes).Clear();
    }

    private struct KvJob
    {
        public RowSplit Split;
        public FloatRows KeyRows, ValueRows;
        public byte* Keys, Values;
        public int* Slots;
        public int PageSize, Heads, KeySize, ValueSize, ValueStride;
        public bool IsHalf;
    }
}
