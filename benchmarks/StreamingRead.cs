using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Portable.Backends.Cpu;

namespace Portable.Benchmarks;

/// <summary>Memory read once from front to back by all threads: what decoding could reach at best.</summary>
internal static unsafe class StreamingRead
{
    // Larger than the last-level caches of nearly all servers.
    private const long Bytes = 512L << 20;

    private struct Job
    {
        public byte* Data;
        public long Bytes;
        public int Chunks;
        public long Sink;
    }

    /// <summary>Gigabytes a second of the best pass over memory that no cache holds.</summary>
    public static double Bandwidth(int threads)
    {
        using var pool = new WorkerPool(threads);
        using var memory = new NativeBlock(Bytes);
        // Written first: untouched pages are all one page of zeros, which the caches hold.
        for (long at = 0; at < Bytes; at += 1 << 20)
            new Span<byte>(memory.Data + at, 1 << 20).Fill((byte)(at >> 20));
        nint data = (nint)memory.Data;
        return Bytes / Measure.Best(1, () => Run(pool, (byte*)data, Bytes)) / 1e9;
    }

    public static void Run(WorkerPool pool, byte* data, long bytes)
    {
        var job = new Job { Data = data, Bytes = bytes, Chunks = (int)Math.Clamp(bytes / 32768 / pool.Threads, 1, 32) * pool.Threads };
        pool.Run(&ReadChunk, &job, job.Chunks);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ReadChunk(void* argument, int worker, int chunk)
    {
        var job = (Job*)argument;
        long from = job->Bytes * chunk / job->Chunks / 128 * 128, to = job->Bytes * (chunk + 1) / job->Chunks / 128 * 128;
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* p = job->Data + from; p < job->Data + to; p += 128)
        {
            a ^= Vector256.Load((long*)p);
            b ^= Vector256.Load((long*)(p + 32));
            c ^= Vector256.Load((long*)(p + 64));
            d ^= Vector256.Load((long*)(p + 96));
        }

        job->Sink = (a ^ b ^ c ^ d).GetElement(0);
    }
}
