namespace Portable.Backends.Cpu;

/// <summary>Packed matrices stacked along the outputs, multiplied in one go so that activations are rounded once: the fast mode.</summary>
internal sealed unsafe class PackedWeights : CpuMatrix
{
    private readonly PackedMatrix[] _parts;

    /// <summary>Takes ownership of the parts, which have equal columns.</summary>
    public PackedWeights(PackedMatrix[] parts) : base(parts.Sum(p => p.Rows), parts[0].Columns) => _parts = parts;

    /// <summary>The matrices, in order.</summary>
    public IReadOnlyList<PackedMatrix> Parts => _parts;

    /// <inheritdoc/>
    public override void Multiply(FloatRows x, FloatRows y, float* bias, bool accumulate, WorkerPool pool, CpuWorkspace workspace) =>
        PackedProduct.Multiply(_parts, x.Data, x.Stride, x.Count, y.Data, y.Stride, bias, accumulate, pool, workspace.Packed);

    /// <inheritdoc/>
    public override void ReadRow(int row, float* destination)
    {
        int part = 0;
        while (row >= _parts[part].Rows)
            row -= _parts[part++].Rows;
        _parts[part].ReadRow(row, destination);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (PackedMatrix part in _parts)
            part.Dispose();
    }
}
