using System.Runtime.Intrinsics;

namespace Portable.Backends.Cpu;

/// <summary>
/// y = x W^T + bias in float32 against canonical weights. A chunk owns whole outputs: it evaluates a block of its rows
/// of W and multiplies it with all rows of x, K block after K block in order, so that neither the workers nor the other
/// rows change a bit of a result.
/// </summary>
internal static unsafe class CanonicalProduct
{
    // Rows of W evaluated together: whole tiles of DotProducts at every width.
    private const int BlockRows = 24;

    // Columns multiplied at a stretch, at most: a tile's rows of W then stay in the first-level cache, and its sums over lanes are few.
    private const int MostColumns = 768;

    // Rows of x multiplied per pass: a stretch of them stays in a second-level cache of 1 MiB.
    private const int PassRows = 256;

    // Blocks of W that a pass goes through with the same columns of x.
    private const int MostBlocksPerChunk = 16;

    // Multiply-adds worth handing to another thread: some 20 µs.
    private const long WorkPerChunk = 1 << 18;

    /// <summary>Runs the product; see <see cref="CpuMatrix.Multiply"/>.</summary>
    public static void Run(in CanonicalRows w, FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace)
    {
        int rows = y.Columns, blocks = (rows + BlockRows - 1) / BlockRows;
        if (rows == 0)
            return;
        Job job = new() { W = w, Bias = bias, Accumulate = accumulate, Padded = (w.Columns + DotProducts.Multiple - 1) & -DotProducts.Multiple };
        int stretches = Math.Max(1, (job.Padded + MostColumns - 1) / MostColumns);
        job.Stretch = (((job.Padded + stretches - 1) / stretches) + DotProducts.Multiple - 1) & -DotProducts.Multiple;
        long scratchBytes = sizeof(float) * BlockRows * (long)job.Stretch;
        job.Scratch = workspace.Private(ref scratchBytes);
        job.ScratchBytes = scratchBytes;
        for (int first = 0; first < x.Count; first += PassRows)
        {
            int count = Math.Min(PassRows, x.Count - first);
            job.X = new FloatRows(x.Row(first), x.Stride, count, x.Columns);
            job.Y = new FloatRows(y.Row(first), y.Stride, count, rows);
            job.Packed = (float*)workspace.Shared(sizeof(float) * (long)count * job.Padded);
            long work = (long)count * w.Columns;
            if (work >= WorkPerChunk)
                pool.Run(&PackBlock, &job, stretches);
            else
            {
                for (int chunk = 0; chunk < stretches; chunk++)
                    PackBlock(&job, 0, chunk);
            }

            // Enough to be worth handing over, then as many as leave every thread some.
            job.BlocksPerChunk = (int)Math.Clamp(WorkPerChunk / Math.Max(work * BlockRows, 1), Math.Clamp(blocks / (3 * pool.Threads), 1, MostBlocksPerChunk), blocks);
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
        int start = chunk * job->Stretch;
        int padded = Math.Min(job->Stretch, job->Padded - start), columns = Math.Min(padded, job->X.Columns - start);
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
        int count = job->X.Count, first = chunk * job->BlocksPerChunk * BlockRows, end = Math.Min(first + (job->BlocksPerChunk * BlockRows), job->Y.Columns);
        Initialise(job, first, end - first);
        if (count < 3)
        {
            // Rows of W are used once: they are read one after another.
            for (int row = first; row < end; row += BlockRows)
            {
                for (int start = 0; start < job->Padded; start += job->Stretch)
                    Block<TSimd, TVector>(job, scratch, row, Math.Min(BlockRows, end - row), start);
            }

            return;
        }

        for (int start = 0; start < job->Padded; start += job->Stretch)
        {
            for (int row = first; row < end; row += BlockRows)
                Block<TSimd, TVector>(job, scratch, row, Math.Min(BlockRows, end - row), start);
        }
    }

    // Adds what a block of rows of W and a stretch of columns give to all rows of y.
    private static void Block<TSimd, TVector>(Job* job, float* scratch, int row, int n, int start)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        int count = job->X.Count, padded = Math.Min(job->Stretch, job->Padded - start);
        float* x = job->Packed + ((long)count * start);
        bool isWhole = start + padded <= job->W.Columns;
        if (count < 3 && isWhole && job->W.Format.Encoding is WeightEncoding.Float16 or WeightEncoding.BFloat16)
        {
            ushort* codes = (ushort*)job->W.Codes + ((long)row * job->W.Columns) + start;
            for (; n >= SixteenBitDots.Rows; n -= SixteenBitDots.Rows, row += SixteenBitDots.Rows, codes += (long)SixteenBitDots.Rows * job->W.Columns)
            {
                for (int t = 0; t < count; t++)
                {
                    if (job->W.Format.Encoding == WeightEncoding.Float16)
                        SixteenBitDots.Run<TSimd, TVector, SixteenBitDots.Halves>(x + (t * padded), codes, job->W.Columns, padded, job->Y.Row(t) + row);
                    else
                        SixteenBitDots.Run<TSimd, TVector, SixteenBitDots.BFloats>(x + (t * padded), codes, job->W.Columns, padded, job->Y.Row(t) + row);
                }
            }

            if (n == 0)
                return;
        }

        float* w = scratch;
        nint stride = padded;
        // float32 rows that few rows of x will use are read where they lie.
        if (job->W.Format.Encoding == WeightEncoding.Float32 && count < 3 && isWhole)
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

        DotProducts.Run<TSimd, TVector>(x, padded, count, w, stride, n, padded, job->Y.Data + row, job->Y.Stride);
    }

    private static void Initialise(Job* job, int row, int n)
    {
        var bias = new ReadOnlySpan<float>(job->Bias + row, job->Bias is null ? 0 : n);
        for (int t = 0; t < job->Y.Count; t++)
        {
            var y = new Span<float>(job->Y.Row(t) + row, n);
            if (bias.IsEmpty)
            {
                if (!job->Accumulate)
                    y.Clear();
            }
            else if (job->Accumulate)
                AddKernel.Run(job->Y.Row(t) + row, job->Bias + row, job->Y.Row(t) + row, n, 1);
            else
                bias.CopyTo(y);
        }
    }

    private struct Job
    {
        public CanonicalRows W;
        public FloatRows X, Y;
        public float* Packed, Bias;
        public byte* Scratch;
        public long ScratchBytes;
        public int Padded, Stretch, BlocksPerChunk;
        public bool Accumulate;
    }
}
