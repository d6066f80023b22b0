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

        ReadOnlySpan<float> scales = Scales(row);
        ReadOnlySpan<byte> zeroPoints = ZeroPoints(row);
        ReadOnlySpan<float> minimums = Minimums(row);
        for (int k = 0; k < destination.Length; k++)
        {
            int group = _groupIndex is null ? k / Format.GroupSize : _groupIndex[k];
            float code = Format.Encoding switch
            {
                WeightEncoding.UInt4 => Nibble(codes, k),
                WeightEncoding.Codebook4 => _codebook![Nibble(codes, k)],
                WeightEncoding.Int8 => (sbyte)codes[k],
                WeightEncoding.UInt8 => codes[k],
                _ => Float8.FromE4M3(codes[k]),
            };
            destination[k] = Format.Offset switch
            {
                GroupOffset.ZeroPoint => scales[group] * (code - zeroPoints[group]),
                GroupOffset.Minimum => (scales[group] * code) + minimums[group],
                _ => scales[group] * code,
            };
        }
    }

    private static int Nibble(ReadOnlySpan<byte> codes, int k) => (codes[k >> 1] >> ((k & 1) * 4)) & 15;
}
