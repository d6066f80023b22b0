namespace Portable.Backends.Cpu;

/// <summary>The kernel of <see cref="ScalarCast"/>.</summary>
internal static unsafe class CastKernel
{
    /// <inheritdoc cref="ScalarCast.Run"/>
    public static void Run(byte* source, ElementType sourceType, byte* output, ElementType outputType, int length) =>
        ScalarCast.Run(source, sourceType, output, outputType, length);
}
