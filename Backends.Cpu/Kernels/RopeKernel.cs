namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRope"/>.</summary>
internal static unsafe class RopeKernel
{
    /// <inheritdoc cref="ScalarRope.Run"/>
    public static void Run(float* head, float* angles, int half, RopeStyle style) =>
        ScalarRope.Run(head, angles, half, style);
}
