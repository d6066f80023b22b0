namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarRopeAngles"/>, which is made once per step and is the scalar form itself.</summary>
internal static unsafe class RopeAnglesKernel
{
    /// <inheritdoc cref="ScalarRopeAngles.Run"/>
    public static void Run(int* positions, nint axisStride, float* inverse, int* axes, int half, float scale, float* angles) =>
        ScalarRopeAngles.Run(positions, axisStride, inverse, axes, half, scale, angles);
}
