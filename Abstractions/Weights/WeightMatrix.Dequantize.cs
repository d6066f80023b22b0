using System.Runtime.InteropServices;

namespace Portable;

public sealed unsafe partial class WeightMatrix
{
    /// <summary>
    /// Evaluates one row in float32, one rounding per operator, in the order its format states. This is the definition
    /// of what the matrix means: every kernel is compared with it.
    /// </summary>
    /// <param name="row">The row.</param>
    /// <param name="destination">Receives <see cref="Columns"/> values.</param>
    public void DequantizeRow(int row, Span<float> destination)
    {
        if (destination.Length < Columns)
            throw new ArgumentException($"{Columns} values do not fit {destination.Length}", nameof(destination));
        destination = destination[..Columns];
        ReadOnlySpan<byte> codes = Codes(row);
        switch (Format.Encoding)
        {
            case WeightEncoding.Float32:
                MemoryMarshal.Cast<byte, float>(codes).CopyTo(destination);
                return;
            case WeightEncoding.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(codes);
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = (float)halves[k];
                return;
            case WeightEncoding.BFloat16:
                ReadOnlySpan<ushort> uppers = MemoryMarshal.Cast<byte, ushort>(codes);
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = BitConverter.UInt32BitsToSingle((uint)uppers[k] << 16);
                return;
        }

        Decode(codes, destination);
        if (_groupIndex is not null)
        {
            ScaleByIndex(row, destination);
            return;
        }

        ReadOnlySpan<float> scales = Scales(row);
        for (int group = 0, first = 0; first < destination.Length; group++)
        {
            int count = Math.Min(Format.GroupSize, destination.Length - first);
            Scale(destination.Slice(first, count), scales[group], row, group);
            first += count;
        }
    }

    /// <summary>The codes' values, before scales.</summary>
    private void Decode(ReadOnlySpan<byte> codes, Span<float> destination)
    {
        switch (Format.Encoding)
        {
            case WeightEncoding.UInt4:
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = Nibble(codes, k);
                break;
            case WeightEncoding.Codebook4:
                ReadOnlySpan<float> codebook = _codebook;
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = codebook[Nibble(codes, k)];
                break;
            case WeightEncoding.Int8:
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = (sbyte)codes[k];
                break;
            case WeightEncoding.UInt8:
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = codes[k];
                break;
            default:
                for (int k = 0; k < destination.Length; k++)
                    destination[k] = Float8.FromE4M3(codes[k]);
                break;
        }
    }

    private void Scale(Span<float> values, float scale, int row, int group)
    {
        switch (Format.Offset)
        {
            case GroupOffset.ZeroPoint:
                float zeroPoint = ZeroPoints(row)[group];
                for (int k = 0; k < values.Length; k++)
                    values[k] = scale * (values[k] - zeroPoint);
                break;
            case GroupOffset.Minimum:
                float minimum = Minimums(row)[group];
                for (int k = 0; k < values.Length; k++)
                    values[k] = (scale * values[k]) + minimum;
                break;
            default:
                for (int k = 0; k < values.Length; k++)
                    values[k] = scale * values[k];
                break;
        }
    }

    private void ScaleByIndex(int row, Span<float> values)
    {
        ReadOnlySpan<float> scales = Scales(row);
        for (int k = 0; k < values.Length; k++)
        {
            int group = _groupIndex![k];
            Scale(values.Slice(k, 1), scales[group], row, group);
        }
    }

    private static int Nibble(ReadOnlySpan<byte> codes, int k) => (codes[k >> 1] >> ((k & 1) * 4)) & 15;
}
