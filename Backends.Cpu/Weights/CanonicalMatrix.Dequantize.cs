using System.Diagnostics;

namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CanonicalMatrix
{
    /// <summary>
    /// Evaluates count columns of a row from first on, with the roundings of <see cref="WeightMatrix.DequantizeRow"/>.
    /// </summary>
    internal void Dequantize(int row, int first, int count, float* destination)
    {
        Debug.Assert((uint)row < (uint)Rows && first >= 0 && count >= 0 && first + count <= Columns);
        byte* codes = _codes + (row * _rowBytes);
        switch (Format.Encoding)
        {
            case WeightEncoding.Float32:
                new Span<float>((float*)codes + first, count).CopyTo(new(destination, count));
                return;
            case WeightEncoding.Float16:
                for (int k = 0; k < count; k++)
                    destination[k] = (float)((Half*)codes)[first + k];
                return;
            case WeightEncoding.BFloat16:
                for (int k = 0; k < count; k++)
                    destination[k] = BitConverter.UInt32BitsToSingle((uint)((ushort*)codes)[first + k] << 16);
                return;
        }

        float* scales = _scales + ((long)row * _groups);
        float* minimums = _minimums + ((long)row * _groups);
        byte* zeroPoints = _zeroPoints + ((long)row * _groups);
        for (int k = first; k < first + count; k++)
        {
            int group = _groupIndex is null ? k / Format.GroupSize : _groupIndex[k];
            float code = Format.Encoding switch
            {
                WeightEncoding.UInt4 => Nibble(codes, k),
                WeightEncoding.Codebook4 => _codebook[Nibble(codes, k)],
                WeightEncoding.Int8 => (sbyte)codes[k],
                WeightEncoding.UInt8 => codes[k],
                _ => Float8.FromE4M3(codes[k]),
            };
            destination[k - first] = Format.Offset switch
            {
                GroupOffset.ZeroPoint => scales[group] * (code - zeroPoints[group]),
                GroupOffset.Minimum => (scales[group] * code) + minimums[group],
                _ => scales[group] * code,
            };
        }
    }

    private static int Nibble(byte* codes, int k) => (codes[k >> 1] >> ((k & 1) * 4)) & 15;
}
