namespace Portable.Checkpoints;

/// <summary>
/// 8-bit weights in the place of plain ones: <c>weight</c> int8 or E4M3 [N, K] with <c>weight_scale</c> (compressed-tensors'
/// int-quantized, float-quantized and mxfp8-quantized, FBGEMM) or <c>weight_scale_inv</c> (DeepSeek's and Qwen's FP8), which
/// multiplies all the same. The scales are one for all, one for each output, one for each group of an output
/// [N, groups] or each block [ceil(N / rows), ceil(K / columns)]; as bytes they are E8M0 for each 32 inputs.
/// w = w8 * s; int8 with <c>weight_zero_point</c> int8: w = (q - z) * s.
/// </summary>
internal sealed unsafe class EightBitLayout : IQuantizedLayout
{
    private const int SignBit = 128, MicroscalingGroup = 32;

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float[] scales = Scales(parts.Scales);
        byte[]? zeroPoints = parts.ZeroPoints is { } zeros ? Biased(zeros) : null;
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format);
        using MappedFile.Lease lease = parts.Codes.Source.Acquire();
        byte* data = lease.Pointer + parts.Codes.Position;
        for (int row = 0; row < matrix.Rows; row++)
        {
            Span<byte> codes = matrix.Codes(row);
            new ReadOnlySpan<byte>(data + ((long)row * codes.Length), codes.Length).CopyTo(codes);
            int first = parts.RowsPerScale == 0 ? 0 : row / parts.RowsPerScale * matrix.Groups;
            scales.AsSpan(first, matrix.Groups).CopyTo(matrix.Scales(row));
            if (zeroPoints is null)
                continue;
            for (int k = 0; k < codes.Length; k++)
                codes[k] ^= SignBit;
            zeroPoints.AsSpan(first, matrix.Groups).CopyTo(matrix.ZeroPoints(row));
        }

        return matrix;
    }

    private static float[] Scales(CheckpointTensor tensor)
    {
        if (PlainTensors.Encoding(tensor.Type) is not null)
            return PlainTensors.Values(tensor);
        float[] values = new float[tensor.Elements];
        ModuleTensors.Bytes(tensor, (data, _) =>
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = BlockScales.E8M0(data[i]);
        });
        return values;
    }

    /// <summary>Signed zero points as those of unsigned codes: 128 more.</summary>
    private static byte[] Biased(CheckpointTensor zeros)
    {
        byte[] values = new byte[zeros.Elements];
        ModuleTensors.Bytes(zeros, (data, _) =>
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = (byte)(data[i] ^ SignBit);
        });
        return values;
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Matrix("weight", "I8", "F8_E4M3");
        CheckpointTensor scales = tensors.Optional("weight_scale_inv", "F32", "F16", "BF16", "U8", "F8_E8M0")
            ?? tensors.Required("weight_scale", "F32", "F16", "BF16", "U8", "F8_E8M0");
        CheckpointTensor? zeros = tensors.Optional("weight_zero_point", "I8");
        (int outputs, int inputs) = codes.MatrixShape();
        (int rows, int columns) = Block(checkpoint.Quantization!, scales, outputs, inputs);
        if (zeros is not null)
        {
            ModuleTensors.Expect(zeros, scales, [.. scales.Shape]);
            if (codes.Type != "I8")
                throw new InvalidModelException(zeros.File, zeros.Name, $"there are zero points, but {codes.Name} is {codes.Type}; only integers have them");
        }

        WeightFormat format = codes.Type != "I8" ? new(WeightEncoding.Float8E4M3, columns)
            : zeros is null ? new(WeightEncoding.Int8, columns) : new(WeightEncoding.UInt8, columns, GroupOffset.ZeroPoint);
        return new Parts(codes, scales, zeros, outputs, inputs, rows, format);
    }

    /// <summary>Outputs (0: all) and inputs that share a scale.</summary>
    private static (int Rows, int Columns) Block(QuantizationConfig config, CheckpointTensor scales, int outputs, int inputs)
    {
        IReadOnlyList<long> shape = scales.Shape;
        long across = shape.Count == 2 ? shape[1] : 1;
        if (PlainTensors.Encoding(scales.Type) is null)
        {
            if (shape.Count != 2 || shape[0] != outputs || across != Blocks(inputs, MicroscalingGroup))
                throw ModuleTensors.Wrong(scales, $"[{outputs}, {Blocks(inputs, MicroscalingGroup)}], a scale for each {MicroscalingGroup} inputs");
            return (1, MicroscalingGroup);
        }

        (int rows, int columns) = config.Block ?? (128, 128);
        if (config.Block is not null && shape.Count == 2 && shape[0] == Blocks(outputs, rows) && across == Blocks(inputs, columns))
            return (rows, Math.Min(columns, inputs));
        if (scales.Elements == 1)
            return (0, inputs);
        if (shape.Count is 1 or 2 && shape[0] == outputs && across > 0 && inputs % across == 0)
            return (1, (int)(inputs / across));
        if (shape.Count == 2 && shape[0] == Blocks(outputs, rows) && across == Blocks(inputs, columns))
            return (rows, Math.Min(columns, inputs));
        throw ModuleTensors.Wrong(
            scales, $"[1], [{outputs}, groups] or, for blocks of [{rows}, {columns}], [{Blocks(outputs, rows)}, {Blocks(inputs, columns)}]");
    }

    private static long Blocks(int length, int size) => (length + (size - 1L)) / size;

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Scales, CheckpointTensor? ZeroPoints, int Outputs, int Inputs, int RowsPerScale, WeightFormat Format);
}
