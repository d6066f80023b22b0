namespace Portable.Conformance;

/// <summary>How a test matrix lies in its buffer.</summary>
public enum Layout
{
    /// <summary>Rows follow each other and fill the buffer.</summary>
    Dense,

    /// <summary>Inside a larger matrix, with an odd offset and foreign elements on all four sides.</summary>
    Strided,
}

/// <summary>A test matrix on the device, and the values that it holds as the device holds them.</summary>
/// <param name="View">The matrix.</param>
/// <param name="Whole">The whole buffer, contiguous.</param>
/// <param name="Values">Row-major, rounded to the element type; NaN for an output.</param>
public sealed record Matrix(TensorView View, TensorView Whole, double[] Values)
{
    /// <summary>One row of the values.</summary>
    public ReadOnlySpan<double> Row(int row) => Values.AsSpan(row * View.Columns, View.Columns);

    /// <summary>The values as rows.</summary>
    public double[][] Rows() => [.. Enumerable.Range(0, View.Rows).Select(r => Row(r).ToArray())];

    /// <summary>Byte offset of a row of the view in the whole buffer.</summary>
    public int ByteOffset(int row) => (int)(View.Offset + ((long)row * View.RowStride * View.Type.Size()));
}
