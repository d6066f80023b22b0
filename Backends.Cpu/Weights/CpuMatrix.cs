namespace Portable.Backends.Cpu;

/// <summary>One matrix W [rows, columns] in some layout that can be multiplied. Immutable; used by many streams.</summary>
internal abstract unsafe class CpuMatrix(int rows, int columns) : IDisposable
{
    /// <summary>Outputs N.</summary>
    public int Rows { get; } = rows;

    /// <summary>Inputs K.</summary>
    public int Columns { get; } = columns;

    /// <summary>y = x W^T + bias, or added to y. The result does not depend on the number of workers.</summary>
    /// <param name="x">[m, columns].</param>
    /// <param name="y">[m, rows]; must not overlap x.</param>
    /// <param name="bias">[rows], or null.</param>
    /// <param name="accumulate">Whether the result is added to what y holds.</param>
    /// <param name="pool">The workers; the caller holds its turn.</param>
    /// <param name="workspace">Scratch of the calling stream.</param>
    public abstract void Multiply(FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace);

    /// <summary>Evaluates one row in float32.</summary>
    public abstract void ReadRow(int row, float* destination);

    /// <inheritdoc/>
    public abstract void Dispose();
}
