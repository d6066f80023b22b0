using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// y = x W^T + bias in float32 against canonical weights. A chunk owns whole outputs: it evaluates a block of its rows
/// of W and multiplies it with all rows of x, K block after K block in order, so that neither the workers nor the other
/// rows change a bit of a result.
/// </summary>
internal static unsafe class CanonicalProduct
{
    // Rows of W evaluated together: two tiles of DotProducts.
    private const int BlockRows = 8;

    // Columns evaluated together: 8 rows of weights and 3 of x then stay in a 32 KiB first-level cache.
    private const int BlockColumns = 512;

    // Rows of x multiplied per pass, which bounds the scratch; a multiple of 3.
    private const int PassRows = 768;

    // Multiply-adds worth handing to another thread: some 20 µs.
    private const long WorkPerChunk = 1 << 18;

    /// <summary>Runs the product; see <see cref="CpuMatrix.Multiply"/>.</summary>
    public static void Run(in CanonicalRows w, FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace)
    {
        int rows = y.Columns, blocks = (rows + BlockRows - 1) / BlockRows;
        if (rows == 0)
            return;
        Job job = new() { W = w, Bias = bias, Accumulate = accumulate, Padded = (w.Columns + DotProducts.Multiple - 1) & -DotProducts.Multiple };
        long scratchBytes = sizeof(float) * BlockRows * BlockColumns;
        job.Scratch = workspace.Private(ref scratchBytes);
        job.ScratchBytes = scratchBytes;
        for (int first = 0; first < x.Count; first += PassRows)
        {
            int count = Math.Min(PassRows, x.Count - first);
            job.X = new FloatRows(x.Row(first), x.Stride, count, x.Columns);
            job.Y = new FloatRows(y.Row(first), y.Stride, count, rows);
            job.Packed = (float*)workspace.Shared(sizeof(float) * (long)count * job.Padded);
            long work = (long)count * w.Columns;
            int packChunks = (job.Padded + BlockColumns - 1) / BlockColumns;
            if (work >= WorkPerChunk)
                pool.Run(&PackBlock, &job, packChunks);
            else
            {
                for (int chunk = 0; chunk < packChunks; chunk++)
                    PackBlock(&job, 0, chunk);
            }

            job.BlocksPerChunk = (int)Math.Clamp(WorkPerChunk / Math.Max(work * BlockRows, 1), 1, blocks);
            int chunks = (blocks + job.BlocksPerChunk - 1) / job.BlocksPerChunk;
            if (Vector512.IsHardwareAccelerated)
                pool.Run(&Chunk<FloatSimd512, Vector512<float>>, &job, chunks);
            else if (Vector256.IsHardwareAccelerated)
                pool.Run(&Chunk<FloatSimd256, Vector256<float>>, &job, chunks);
            else if (Vector128.IsHardwareAccelerated)
                pool.Run(&Chunk<FloatSimd128, Vector128<float>>, &job, chunks);
            else
                pool.Run(&Chunk<FloatSimdScalar, float>, &job, chunks);
        }
    }

    // x as [K block][row][columns of the block], padded with zeros to whole vectors: each block is one run of memory.
    private static void PackBlock(void* argument, int worker, int chunk)
    {
        var job = (Job*)argument;
        int start = chunk * BlockColumns;
        int padded = Math.Min(BlockColumns, job->Padded - start), columns = Math.Min(padded, job->X.Columns - start);
        float* destination = job->Packed + ((long)job->X.Count * start);
        for (int t = 0; t < job->X.Count; t++, destination += padded)
        {
            Buffer.MemoryCopy(job->X.Row(t) + start, destination, padded * sizeof(float), columns * sizeof(float));
            new Span<float>(destination + columns, padded - columns).Clear();
        }
    }

    private static void Chunk<TSimd, TVector>(void* argument, int worker, int chunk)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        var job = (Job*)argument;
        float* scratch = (float*)(job->Scratch + (worker * job->ScratchBytes));
        int count = job->X.Count, rows = job->Y.Columns;
        int end = Math.Min((chunk + 1) * job->BlocksPerChunk * BlockRows, rows);
        for (int row = chunk * job->BlocksPerChunk * BlockRows; row < end; row += BlockRows)
        {
            int n = Math.Min(BlockRows, end - row);
            Initialise(job, row, n);
            for (int start = 0; start < job->Padded; start += BlockColumns)
            {
                int padded = Math.Min(BlockColumns, job->Padded - start);
                float* x = job->Packed + ((long)count * start);
                if (count < 3 && n == SixteenBitDots.Rows && start + padded <= job->W.Columns
                    && job->W.Format.Encoding is WeightEncoding.Float16 or WeightEncoding.BFloat16)
                {
                    ushort* codes = (ushort*)job->W.Codes + ((long)row * job->W.Columns) + start;
                    for (int t = 0; t < count; t++)
                    {
                        if (job->W.Format.Encoding == WeightEncoding.Float16)
                            SixteenBitDots.Run<TSimd, TVector, SixteenBitDots.Halves>(x + (t * padded), codes, job->W.Columns, padded, job->Y.Row(t) + row);
                        else
                            SixteenBitDots.Run<TSimd, TVector, SixteenBitDots.BFloats>(x + (t * padded), codes, job->W.Columns, padded, job->Y.Row(t) + row);
                    }

                    continue;
                }

                float* w = scratch;
                nint stride = padded;
                // float32 rows that few rows of x will use are read where they lie.
                if (job->W.Format.Encoding == WeightEncoding.Float32 && count < 3 && start + padded <= job->W.Columns)
                {
                    stride = job->W.Columns;
                    w = (float*)job->W.Codes + (row * stride) + start;
                }
                else
                {
                    int columns = Math.Min(padded, job->W.Columns - start);
                    for (int r = 0; r < n; r++)
                    {
                        DequantizeKernel.Run(job->W, row + r, start, columns, scratch + (r * padded));
                        new Span<float>(scratch + (r * padded) + columns, padded - columns).Clear();
                    }
                }

                DotProducts.Run<TSimd, TVector>(x, padded, count, w, stride, n, padded, job->Y.Data + row, job->Y.Stride, accumulate: true);
            }
        }
    }

    private static void Initialise(Job* job, int row, int n)
    {
        for (int t = 0; t < job->Y.Count; t++)
        {
            float* y = job->Y.Row(t) + row;
            for (int i = 0; i < n; i++)
                y[i] = (job->Accumulate ? y[i] : 0) + (job->Bias is null ? 0 : job->Bias[row + i]);
        }
    }

    private struct Job
    {
        public CanonicalRows W;
        public FloatRows X, Y;
        public float* Packed, Bias;
        public byte* Scratch;
        public long ScratchBytes;
        public int Padded, BlocksPerChunk;
        public bool Accumulate;
    }
}
