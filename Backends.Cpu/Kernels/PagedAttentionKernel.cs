namespace Portable.Backends.Cpu;

/// <summary>Attention over pages.</summary>
internal static unsafe class PagedAttentionKernel
{
    /// <summary>Runs the whole job.</summary>
    public static void Run(in PagedAttentionJob job) => ScalarPagedAttention.Run(job);
}
