using System.Runtime.ExceptionServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Threads that run the chunks of one job at a time. The caller is worker 0. Chunks are claimed as workers become free,
/// so which worker runs which chunk differs from run to run; what a chunk computes must not depend on it.
/// Not reentrant; one caller at a time.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CountdownEvent _finished = new(1);
    private delegate*<void*, int, int, void> _body;
    private void* _argument;
    private int _chunks;
    private int _next;
    private Exception? _failure;
    private volatile bool _stopping;

    /// <summary>Starts threads - 1 background threads.</summary>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _threads = new Thread[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"Portable CPU worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Workers, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Calls body(argument, worker, chunk) for each chunk once and returns when all have run.</summary>
    public void Run(delegate*<void*, int, int, void> body, void* argument, int chunks)
    {
        if (_threads.Length == 0 || chunks <= 1)
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                body(argument, 0, chunk);
            return;
        }

        int helpers = Math.Min(_threads.Length, chunks - 1);
        _body = body;
        _argument = argument;
        _chunks = chunks;
        _next = 0;
        _failure = null;
        _finished.Reset(helpers);
        _wake.Release(helpers);
        Work(0);
        _finished.Wait();
        if (_failure is { } failure)
            ExceptionDispatchInfo.Throw(failure);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        if (_threads.Length > 0)
            _wake.Release(_threads.Length);
        foreach (Thread thread in _threads)
            thread.Join();
        _wake.Dispose();
        _finished.Dispose();
    }

    private void Serve(int worker)
    {
        while (true)
        {
            _wake.Wait();
            if (_stopping)
                return;
            Work(worker);
            _finished.Signal();
        }
    }

    private void Work(int worker)
    {
        try
        {
            for (int chunk = Interlocked.Increment(ref _next) - 1; chunk < _chunks; chunk = Interlocked.Increment(ref _next) - 1)
                _body(_argument, worker, chunk);
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _failure, failure, null);
        }
    }
}
