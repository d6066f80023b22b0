namespace Portable.Backends.Cpu;

/// <summary>Codes of any format to float32, one by one, with the roundings of <see cref="WeightMatrix.DequantizeRow"/>.</summary>
internal static unsafe class ScalarDequantize
{
    /// <summary>Evaluates count columns of a row from first on.</summary>
    public static void Run(in CanonicalRows rows, long row, int first, int count, float* destination)
    {
        byte* codes = rows.Codes + (row * rows.RowBytes);
        for (int k = first; k < first + count; k++)
        {
            float code = rows.Format.Encoding switch
            {
                WeightEncoding.Float32 => ((float*)codes)[k],
                WeightEncoding.Float16 => (float)((Half*)codes)[k],
                WeightEncoding.BFloat16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)codes)[k] << 16),
                WeightEncoding.UInt4 => Nibble(codes, k),
                WeightEncoding.Codebook4 => rows.Codebook[Nibble(codes, k)],
                WeightEncoding.Int8 => (sbyte)codes[k],
                WeightEncoding.UInt8 => codes[k],
                _ => Float8.FromE4M3(codes[k]),
            };
            if (rows.Format.IsPlain)
            {
                destination[k - first] = code;
                continue;
            }

            long group = (row * rows.Groups) + (rows.GroupIndex is null ? k / rows.Format.GroupSize : rows.GroupIndex[k]);
            destination[k - first] = rows.Format.Offset switch
            {
                GroupOffset.ZeroPoint => rows.Scales[group] * (code - rows.ZeroPoints[group]),
                GroupOffset.Minimum => (rows.Scales[group] * code) + rows.Minimums[group],
                _ => rows.Scales[group] * code,
            };
        }
    }

    private static int Nibble(byte* codes, int k) => (codes[k >> 1] >> ((k & 1) * 4)) & 15;
}
