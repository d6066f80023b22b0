namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRopeAngles"/>.</summary>
internal static unsafe class RopeAnglesKernel
{
    /// <inheritdoc cref="ScalarRopeAngles.Run"/>
    public static void Run(int* positions, nint axisStride, float* inverse, int* axes, int half, float scale, float* angles) =>
        ScalarRopeAngles.Run(positions, axisStride, inverse, axes, half, scale, angles);
}
