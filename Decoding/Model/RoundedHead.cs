using System.Globalization;

namespace Portable.Decoding;

/// <summary>
/// The output matrix with fewer bits than the checkpoint gives it: a quarter to a half of what a small model reads for every token. In groups of 32
/// columns, to nearest: 6 bits, w = scale * code with codes -32 … 31, or 4 bits, w = scale * code + minimum.
/// </summary>
internal static class RoundedHead
{
    private const int GroupSize = 32;

    /// <summary>The format of this many bits.</summary>
    /// <exception cref="InvalidInputException">Neither 4 nor 6.</exception>
    public static WeightFormat Format(int bits) => bits switch
    {
        4 => new WeightFormat(WeightEncoding.UInt4, GroupSize, GroupOffset.Minimum),
        6 => new WeightFormat(WeightEncoding.Int8, GroupSize),
        _ => throw new InvalidInputException("option HeadBits", $"expected 4 or 6, found {bits}"),
    };

    /// <summary>The bits that a format of this class stores, for names.</summary>
    public static string Name(WeightFormat format) => string.Create(CultureInfo.InvariantCulture, $"{(format.Encoding == WeightEncoding.UInt4 ? 4 : 6)} bits");

    /// <summary>Whether a stored matrix has more bits a weight, scales left out.</summary>
    public static bool IsSmallerThan(int bits, WeightFormat stored) => stored.Encoding switch
    {
        WeightEncoding.UInt4 or WeightEncoding.Codebook4 => false,
        // Codes of 5 and 6 bits are kept in bytes.
        WeightEncoding.Int8 when bits == 6 => stored.GroupSize > 16 && stored.Offset == GroupOffset.None,
        _ => true,
    };

    /// <summary>Rounds a matrix; the caller owns both.</summary>
    public static WeightMatrix Round(WeightMatrix source, WeightFormat format)
    {
        WeightMatrix rounded = WeightMatrix.Allocate(source.Name, source.Rows, source.Columns, format);
        var values = new float[source.Columns];
        for (int row = 0; row < source.Rows; row++)
        {
            source.DequantizeRow(row, values);
            Span<byte> codes = rounded.Codes(row);
            Span<float> scales = rounded.Scales(row), minimums = rounded.Minimums(row);
            for (int group = 0; group < scales.Length; group++)
            {
                int first = group * GroupSize;
                ReadOnlySpan<float> own = values.AsSpan(first, Math.Min(GroupSize, values.Length - first));
                if (format.Encoding == WeightEncoding.UInt4)
                    Four(own, codes[(first / 2)..], out scales[group], out minimums[group]);
                else
                    Six(own, codes.Slice(first, own.Length), out scales[group]);
            }
        }

        return rounded;
    }

    // The value farthest from zero becomes -32, which has no counterpart on the other side.
    private static void Six(ReadOnlySpan<float> values, Span<byte> codes, out float scale)
    {
        float extreme = 0;
        foreach (float value in values)
        {
            if (MathF.Abs(value) > MathF.Abs(extreme))
                extreme = value;
        }

        scale = (float)(Half)(extreme / -32);
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)(sbyte)Math.Clamp(MathF.Round(values[i] * inverse), -32, 31);
    }

    private static void Four(ReadOnlySpan<float> values, Span<byte> codes, out float scale, out float minimum)
    {
        float low = float.PositiveInfinity, high = float.NegativeInfinity;
        foreach (float value in values)
        {
            low = MathF.Min(low, value);
            high = MathF.Max(high, value);
        }

        minimum = (float)(Half)low;
        scale = (float)(Half)((high - minimum) / 15);
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < values.Length; i++)
        {
            int code = (int)Math.Clamp(MathF.Round((values[i] - minimum) * inverse), 0, 15);
            codes[i / 2] = (byte)(i % 2 == 0 ? code : codes[i / 2] | (code << 4));
        }
    }
}
