namespace Portable.Checkpoints;

/// <summary>One tensor as it is stored. Immutable; it describes, and keeps no data.</summary>
public sealed class CheckpointTensor
{
    internal CheckpointTensor(string name, long[] shape, string type, MappedFile source, long position, long bytes)
    {
        Name = name;
        Shape = shape;
        Type = type;
        Source = source;
        Position = position;
        Bytes = bytes;
        Elements = shape.Contains(0) ? 0 : shape.Aggregate(1L, static (product, dimension) => checked(product * dimension));
    }

    /// <summary>The name in the file.</summary>
    public string Name { get; }

    /// <summary>The dimensions, slowest first (GGUF stores them the other way round). Empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The type as the format names it: F16, I32, Q4_K …</summary>
    public string Type { get; }

    /// <summary>Bytes of the data.</summary>
    public long Bytes { get; }

    /// <summary>Number of stored elements: the product of the shape. Packed words count as one.</summary>
    public long Elements { get; }

    /// <summary>The file that holds the data.</summary>
    public string File => Source.Path;

    /// <summary>The mapping that holds the data.</summary>
    internal MappedFile Source { get; }

    /// <summary>Where the data begins in the file.</summary>
    internal long Position { get; }

    /// <summary>
    /// The shape as a matrix [outputs, inputs]; what follows the first dimension is flattened, as a convolution over
    /// whole patches is a matrix product.
    /// </summary>
    internal (int Rows, int Columns) MatrixShape()
    {
        if (Shape.Count < 2)
            throw new InvalidModelException(File, Name, $"the shape is [{string.Join(", ", Shape)}], a matrix has at least 2 dimensions");
        long columns = 1;
        for (int i = 1; i < Shape.Count; i++)
        {
            if (Shape[i] != 0 && columns > int.MaxValue / Shape[i])
                throw TooLarge();
            columns *= Shape[i];
        }

        // A row of float32 must be addressable by one span.
        return Shape[0] <= int.MaxValue && columns <= int.MaxValue / sizeof(float) ? ((int)Shape[0], (int)columns) : throw TooLarge();
    }

    /// <summary>The shape of one expert of a tensor [experts, outputs, inputs], whose matrices lie one after another.</summary>
    internal (int Rows, int Columns) ExpertShape(int expert)
    {
        if (Shape.Count != 3)
            throw new InvalidModelException(File, Name, $"the shape is [{string.Join(", ", Shape)}], expected [experts, outputs, inputs]");
        CheckExpert(expert);
        return Shape[1] <= int.MaxValue && Shape[2] <= int.MaxValue / sizeof(float) ? ((int)Shape[1], (int)Shape[2]) : throw TooLarge();
    }

    /// <summary>Requires that the first dimension has such an expert.</summary>
    internal void CheckExpert(int expert)
    {
        if (expert < 0 || expert >= Shape[0])
            throw new InvalidModelException(File, Name, $"expert {expert} was asked for, the shape is [{string.Join(", ", Shape)}]");
    }

    private UnsupportedException TooLarge() =>
        new($"shape [{string.Join(", ", Shape)}] of tensor {Name} in {File}", "a matrix has at most 2^31 rows and 2^29 columns");
}
