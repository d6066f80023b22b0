using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Runs a section of numbered chunks on a fixed set of threads, the caller being worker 0. Threads take chunks one at
/// a time in ascending order and the caller waits for completed chunks, never for a thread that took none: a thread
/// the system has descheduled costs its share of the work and no more. Idle threads spin for half a millisecond, then
/// park. One section at a time; <see cref="Run"/> is for one caller and is not reentrant.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    private const int SpinMicroseconds = 500;

    private readonly Worker[] _workers;
    private readonly long _spinTicks = Stopwatch.Frequency * SpinMicroseconds / 1_000_000;
    private PaddedState _shared;
    private delegate*<void*, int, int, void> _body;
    private void* _argument;
    private int _chunks;
    private uint _generation;
    private int _running;
    private volatile bool _disposed;
    private volatile ExceptionDispatchInfo? _error;

    /// <summary>Starts <paramref name="threads"/> - 1 background threads.</summary>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Worker[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
            _workers[i] = new Worker(this, i + 1);
        foreach (Worker worker in _workers)
            worker.Thread.Start();
    }

    /// <summary>Threads that take part in a section, the caller included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Calls body(argument, worker, chunk) once for every chunk in [0, chunks), worker in [0, <see cref="Threads"/>),
    /// and returns when all calls have. The first exception is thrown again here, after chunks not yet begun were
    /// dropped. What bodies wrote is visible to the caller afterwards.
    /// </summary>
    /// <exception cref="InvalidOperationException">A section is running already.</exception>
    public void Run(delegate*<void*, int, int, void> body, void* argument, int chunks)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("the worker pool runs one section at a time");
        try
        {
            if (Threads == 1 || chunks <= 1)
            {
                for (int chunk = 0; chunk < chunks; chunk++)
                    body(argument, 0, chunk);
            }
            else
            {
                RunShared(body, argument, chunks);
            }
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Wakes, stops and joins the threads.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Publish(0);
        foreach (Worker worker in _workers)
        {
            worker.Wake();
            worker.Thread.Join();
            worker.Dispose();
        }
    }

    private void RunShared(delegate*<void*, int, int, void> body, void* argument, int chunks)
    {
        _body = body;
        _argument = argument;
        _chunks = chunks;
        Volatile.Write(ref _shared.Completed, 0);
        Publish(chunks);
        int helpers = Math.Min(_workers.Length, chunks - 1);
        for (int i = 0; i < helpers; i++)
            _workers[i].Wake();

        TakeChunks(_generation, worker: 0);
        for (int spins = 1; Volatile.Read(ref _shared.Completed) != chunks; spins++)
        {
            if (spins % 4096 == 0)
                Thread.Yield();
            else
                Thread.SpinWait(1);
        }

        if (_error is { } error)
        {
            _error = null;
            error.Throw();
        }
    }

    private void Publish(int chunks) =>
        Interlocked.Exchange(ref _shared.State, (long)(++_generation) << 32 | (uint)chunks);

    /// <summary>
    /// Claims chunks of a generation until none is left. State is generation &lt;&lt; 32 | chunks left, so a claim by a
    /// thread that arrives late fails, and one that succeeds proves that the body and argument read before it belong
    /// to this generation: they are replaced only after its last chunk is claimed and completed.
    /// </summary>
    private void TakeChunks(uint generation, int worker)
    {
        while (true)
        {
            long state = Volatile.Read(ref _shared.State);
            int left = (int)state;
            if ((uint)(state >> 32) != generation || left == 0)
                return;
            delegate*<void*, int, int, void> body = _body;
            void* argument = _argument;
            int chunk = _chunks - left;
            if (Interlocked.CompareExchange(ref _shared.State, state - 1, state) != state)
                continue;
            if (_error is null)
                Call(body, argument, worker, chunk);
            Interlocked.Increment(ref _shared.Completed);
        }
    }

    private void Call(delegate*<void*, int, int, void> body, void* argument, int worker, int chunk)
    {
        try
        {
            body(argument, worker, chunk);
        }
#pragma warning disable CA1031 // whatever a body throws belongs to the caller of Run, on its own thread
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _error ??= ExceptionDispatchInfo.Capture(exception);
        }
    }

    // Both words are written by all threads: each gets cache lines of its own, away from the fields that are only read.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct PaddedState
    {
        [FieldOffset(128)]
        public long State;

        [FieldOffset(256)]
        public int Completed;
    }

    private sealed class Worker : IDisposable
    {
        private readonly WorkerPool _pool;
        private readonly SemaphoreSlim _wake = new(0);
        private readonly int _index;
        private int _parked;

        public Worker(WorkerPool pool, int index)
        {
            _pool = pool;
            _index = index;
            Thread = new Thread(Loop, maxStackSize: 1 << 20) { IsBackground = true, Name = $"Portable worker {index}" };
        }

        public Thread Thread { get; }

        public void Wake()
        {
            if (Volatile.Read(ref _parked) == 1 && Interlocked.Exchange(ref _parked, 0) == 1)
                _wake.Release();
        }

        public void Dispose() => _wake.Dispose();

        private void Loop()
        {
            uint seen = 0;
            while (true)
            {
                seen = WaitForOther(seen);
                if (_pool._disposed)
                    return;
                _pool.TakeChunks(seen, _index);
            }
        }

        private uint Generation() => (uint)(Volatile.Read(ref _pool._shared.State) >> 32);

        private uint WaitForOther(uint seen)
        {
            long deadline = Stopwatch.GetTimestamp() + _pool._spinTicks;
            for (int spins = 1; ; spins++)
            {
                uint generation = Generation();
                if (generation != seen)
                    return generation;
                Thread.SpinWait(1);
                if (spins % 64 == 0 && Stopwatch.GetTimestamp() > deadline)
                {
                    Park(seen);
                    deadline = Stopwatch.GetTimestamp() + _pool._spinTicks;
                }
            }
        }

        private void Park(uint seen)
        {
            // Raising the flag before the last look means that a section published in between is either seen here or
            // finds the flag and releases the semaphore; lowering it ourselves tells which of the two happened.
            Interlocked.Exchange(ref _parked, 1);
            if (Generation() == seen || Interlocked.Exchange(ref _parked, 0) == 0)
                _wake.Wait();
        }
    }
}
