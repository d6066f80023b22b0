namespace Portable.Conformance;

/// <summary>y = x W^T in double precision, with the error that a mode may add.</summary>
internal static class ReferenceLinear
{
    /// <summary>
    /// Adds one output to what is expected. Besides float32 arithmetic the error may hold: on a device with float16 or bfloat16
    /// activations, each dequantised weight rounded to that type; in fast mode on float32 activations and coded
    /// weights, activations rounded to int8 with the scale max|x| / 127 at the most, hence max|x| / 254 for each, and
    /// what packing may change in the weight; twice that, as the scales of activations may be held as float16 too.
    /// </summary>
    public static void Set(Bench bench, Expected expected, int row, int column, ReadOnlySpan<double> x, TestWeight weight, int weightRow, double start)
    {
        double[] w = weight.Values[weightRow], packing = weight.PackingError[weightRow];
        double sum = start, magnitude = Math.Abs(start), weights = 0, packed = 0, largest = 0, products = 0;
        for (int k = 0; k < w.Length; k++)
        {
            sum += x[k] * w[k];
            // A code times its scale and the group's offset may be summed apart: their sizes count, not the weight's.
            double parts = Math.Max(Math.Abs(w[k]), packing[k] * 2048);
            magnitude += Math.Abs(x[k]) * (weight.Matrix.Format.IsPlain ? Math.Abs(w[k]) : parts);
            weights += Math.Abs(w[k]);
            packed += Math.Abs(x[k]) * packing[k];
            products += Math.Abs(x[k] * w[k]);
            largest = Math.Max(largest, Math.Abs(x[k]));
        }

        double extra = 0;
        if (bench.Activation != ElementType.Float32)
            extra = products * Expected.Rounding(bench.Activation);
        else if (IsRounded(bench, weight))
            extra = (weights * largest / 254) + (2 * packed);
        expected.Set(row, column, sum, magnitude, extra);
    }

    /// <summary>Whether the device may round activations to int8 for this weight.</summary>
    public static bool IsRounded(Bench bench, TestWeight weight) =>
        bench.Activation == ElementType.Float32 && !bench.IsExact && !weight.Matrix.Format.IsPlain;

    /// <summary>
    /// The root mean square error that int8 activations give when their roundings are independent and uniform:
    /// scale * sqrt(sum w^2 / 12), plus that of packing. More than three times as much fails: a wrong zero point or a scale taken
    /// from another group is far larger.
    /// </summary>
    public static double ExpectedSquare(ReadOnlySpan<double> x, TestWeight weight, int weightRow)
    {
        double squares = 0, packing = 0, largest = 0;
        for (int k = 0; k < x.Length; k++)
        {
            squares += weight.Values[weightRow][k] * weight.Values[weightRow][k];
            double error = x[k] * weight.PackingError[weightRow][k];
            packing += error * error;
            largest = Math.Max(largest, Math.Abs(x[k]));
        }

        return (squares * (largest / 127) * (largest / 127) / 12) + packing;
    }
}
