using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Runs operators at once, in the call. Big ones are split into chunks of whole outputs for the device's workers, so
/// that results do not depend on their number; small ones run in the calling thread.
/// </summary>
internal sealed unsafe partial class CpuStream : CommandStream
{
    /// <summary>Elements of simple work (a norm, a sum) that are worth handing to another thread: some 10 µs.</summary>
    private const int ElementsPerChunk = 1 << 14;

    private readonly CpuDevice _device;
    private readonly CpuWorkspace _workspace;

    /// <summary>Creates the stream.</summary>
    public CpuStream(CpuDevice device) : base(device)
    {
        _device = device;
        _workspace = new CpuWorkspace(device.Pool.Threads);
    }

    /// <inheritdoc/>
    public override void Dispose() => _workspace.Dispose();

    /// <summary>The float32 elements of a view.</summary>
    internal static float* Floats(TensorView view) => (float*)Bytes(view);

    /// <inheritdoc/>
    protected override void OnSynchronize()
    {
    }

    /// <inheritdoc/>
    protected override void OnBeginCapture() => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override CapturedWork OnEndCapture() => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void OnReplay(CapturedWork work) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void OnUpload(TensorView destination, ReadOnlySpan<byte> source)
    {
        fixed (byte* bytes = source)
            Buffer.MemoryCopy(bytes, Bytes(destination), source.Length, source.Length);
    }

    /// <inheritdoc/>
    protected override void OnDownload(TensorView source, HostBuffer destination)
    {
        long bytes = source.Length * source.Type.Size();
        fixed (byte* target = destination.Span)
            Buffer.MemoryCopy(Bytes(source), target, destination.Span.Length, bytes);
    }

    private static byte* Bytes(TensorView view) => ((CpuBuffer)view.Buffer).Pointer + view.Offset;

    private static int* Ints(TensorView view) => (int*)Bytes(view);

    private static FloatRows Rows(TensorView view) => new(Floats(view), view.RowStride, view.Rows, view.Columns);

    /// <summary>Runs a job over rows, in one chunk when it is small.</summary>
    /// <param name="body">Takes the job, the worker and the chunk.</param>
    /// <param name="job">Starts with a <see cref="RowSplit"/>, which is set here.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="elementsPerRow">Simple work of one row.</param>
    private void RunRows(delegate*<void*, int, int, void> body, void* job, int rows, long elementsPerRow)
    {
        int perChunk = (int)Math.Clamp(ElementsPerChunk / Math.Max(elementsPerRow, 1), 1, rows);
        *(RowSplit*)job = new RowSplit(rows, perChunk);
        RunChunks(body, job, (rows + perChunk - 1) / perChunk);
    }

    private void RunChunks(delegate*<void*, int, int, void> body, void* job, int chunks)
    {
        if (chunks == 1)
        {
            body(job, 0, 0);
            return;
        }

        lock (_device.PoolTurn)
            _device.Pool.Run(body, job, chunks);
    }

    /// <summary>Which rows a chunk holds.</summary>
    private readonly struct RowSplit(int rows, int perChunk)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Range(int chunk, out int first, out int end)
        {
            first = chunk * perChunk;
            end = Math.Min(first + perChunk, rows);
        }
    }
}
