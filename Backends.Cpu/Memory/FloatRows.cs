using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>Rows of float32 at a stride: what kernels see of a tensor. The caller vouches for the memory.</summary>
internal readonly unsafe struct FloatRows(float* data, nint stride, int count, int columns)
{
    /// <summary>Element [0, 0].</summary>
    public readonly float* Data = data;

    /// <summary>Elements from one row to the next.</summary>
    public readonly nint Stride = stride;

    /// <summary>Number of rows.</summary>
    public readonly int Count = count;

    /// <summary>Elements of one row.</summary>
    public readonly int Columns = columns;

    /// <summary>The first element of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(int row) => Data + (row * Stride);
}
