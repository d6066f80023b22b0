namespace Portable.Backends.Cpu;

/// <summary>Attention inside segments.</summary>
internal static unsafe class SegmentAttentionKernel
{
    /// <summary>Runs the whole job.</summary>
    public static void Run(in SegmentAttentionJob job) => ScalarSegmentAttention.Run(job);
}
