using Portable.Backends.Cpu;

namespace Portable.Tests;

[TestFixture]
public sealed unsafe class WorkerPoolTests
{
    [Test]
    public void Every_chunk_runs_exactly_once_on_a_known_worker([Values(1, 2, 3, 8)] int threads, [Values(0, 1, 2, 7, 64, 1000)] int chunks)
    {
        using var pool = new WorkerPool(threads);
        int* counts = stackalloc int[1000];
        new Span<int>(counts, 1000).Clear();
        var job = new CountJob { Counts = counts, Threads = threads };
        pool.Run(&Count, &job, chunks);
        for (int i = 0; i < 1000; i++)
            Assert.That(counts[i], Is.EqualTo(i < chunks ? 1 : 0), $"chunk {i}");
        Assert.That(job.Strangers, Is.Zero);
    }

    [Test]
    public void Thousands_of_tiny_sections_lose_and_repeat_nothing([Values(2, 4)] int threads)
    {
        using var pool = new WorkerPool(threads);
        long sum = 0;
        long expected = 0;
        for (int round = 0; round < 20_000; round++)
        {
            int chunks = 1 + (round % 9);
            expected += chunks * (chunks + 1) / 2;
            pool.Run(&Add, &sum, chunks);
        }

        Assert.That(sum, Is.EqualTo(expected));
    }

    [Test]
    public void Sections_are_complete_when_workers_were_parked_in_between()
    {
        using var pool = new WorkerPool(3);
        long sum = 0;
        for (int round = 0; round < 50; round++)
        {
            pool.Run(&Add, &sum, 10);
            Thread.Sleep(round % 3);
        }

        Assert.That(sum, Is.EqualTo(50 * 55));
    }

    [Test]
    public void An_exception_of_any_worker_reaches_the_caller_and_the_pool_lives_on([Values(1, 2, 4)] int threads, [Values(0, 5, 99)] int failing)
    {
        using var pool = new WorkerPool(threads);
        for (int round = 0; round < 20; round++)
        {
            int chunk = failing;
            InvalidDataException? error = null;
            try
            {
                pool.Run(&Throw, &chunk, 100);
            }
            catch (InvalidDataException exception)
            {
                error = exception;
            }

            Assert.That(error?.Message, Is.EqualTo($"chunk {failing}"));
            long sum = 0;
            pool.Run(&Add, &sum, 10);
            Assert.That(sum, Is.EqualTo(55));
        }
    }

    [Test]
    public void A_section_started_inside_a_section_is_refused([Values(1, 2)] int threads)
    {
        using var pool = new WorkerPool(threads);
        var handle = System.Runtime.InteropServices.GCHandle.Alloc(pool);
        try
        {
            Assert.That(() => pool.Run(&Nest, (void*)System.Runtime.InteropServices.GCHandle.ToIntPtr(handle), 4), Throws.InvalidOperationException);
        }
        finally
        {
            handle.Free();
        }
    }

    [Test]
    public void Dispose_ends_the_threads_whether_they_spin_or_are_parked([Values(0, 20)] int idleMilliseconds)
    {
        for (int round = 0; round < 20; round++)
        {
            var pool = new WorkerPool(4);
            long sum = 0;
            pool.Run(&Add, &sum, 4);
            Thread.Sleep(idleMilliseconds);
            pool.Dispose();
            pool.Dispose();
            Assert.That(() => pool.Run(&Add, null, 4), Throws.TypeOf<ObjectDisposedException>());
        }
    }

    [Test]
    public void A_section_allocates_nothing([Values(1, 2, 4)] int threads)
    {
        using var pool = new WorkerPool(threads);
        long sum = 0;
        for (int i = 0; i < 100; i++)
            pool.Run(&Add, &sum, 8);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            pool.Run(&Add, &sum, 8);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private struct CountJob
    {
        public int* Counts;
        public int Threads;
        public int Strangers;
    }

    private static void Count(void* argument, int worker, int chunk)
    {
        var job = (CountJob*)argument;
        if ((uint)worker >= (uint)job->Threads)
            Interlocked.Increment(ref job->Strangers);
        Interlocked.Increment(ref job->Counts[chunk]);
    }

    private static void Add(void* argument, int worker, int chunk) => Interlocked.Add(ref *(long*)argument, chunk + 1);

    private static void Throw(void* argument, int worker, int chunk)
    {
        if (chunk == *(int*)argument)
            throw new InvalidDataException($"chunk {chunk}");
    }

    private static void Nest(void* argument, int worker, int chunk)
    {
        long sum = 0;
        var pool = (WorkerPool)System.Runtime.InteropServices.GCHandle.FromIntPtr((nint)argument).Target!;
        pool.Run(&Add, &sum, 2);
    }
}
