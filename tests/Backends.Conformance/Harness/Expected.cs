namespace Portable.Conformance;

/// <summary>
/// What an operator should give, from double precision, with the error that is allowed for each element:
/// <list type="bullet">
/// <item><see cref="Magnitude"/>, the sum of absolute values that were added up, times 1e-5: float32 arithmetic in any order;</item>
/// <item>rounding to the output's type: half a unit in the last place (2^-24, 2^-11 or 2^-8 of the value);</item>
/// <item><see cref="Extra"/>, what the operator's own approximations may add, derived where it is computed.</item>
/// </list>
/// </summary>
public sealed class Expected(int rows, int columns)
{
    /// <summary>Relative error of float32 arithmetic over the magnitude.</summary>
    public const double Float32Error = 1e-5;

    /// <summary>Rows.</summary>
    public int Rows => rows;

    /// <summary>Columns.</summary>
    public int Columns => columns;

    /// <summary>Exact values.</summary>
    public double[] Value { get; } = new double[rows * columns];

    /// <summary>Sums of absolute values.</summary>
    public double[] Magnitude { get; } = new double[rows * columns];

    /// <summary>Further error allowed.</summary>
    public double[] Extra { get; } = new double[rows * columns];

    /// <summary>Sets one element.</summary>
    public void Set(int row, int column, double value, double magnitude, double extra = 0)
    {
        int i = (row * columns) + column;
        Value[i] = value;
        Magnitude[i] = magnitude;
        Extra[i] = extra;
    }

    /// <summary>The error allowed for element i of an output of a type.</summary>
    public double Tolerance(int i, ElementType type) =>
        (Magnitude[i] * Float32Error) + (Math.Abs(Value[i]) * Rounding(type) * 1.001) + Extra[i] + Smallest(type);

    /// <summary>Half a unit in the last place, relative.</summary>
    public static double Rounding(ElementType type) => type switch
    {
        ElementType.Float16 => 1.0 / 2048,
        ElementType.BFloat16 => 1.0 / 256,
        _ => 1.0 / (1 << 24),
    };

    // Half the smallest subnormal.
    private static double Smallest(ElementType type) => type == ElementType.Float16 ? 1.0 / (1 << 25) : 1e-38;
}
