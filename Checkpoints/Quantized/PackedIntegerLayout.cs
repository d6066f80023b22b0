using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// compressed-tensors' pack-quantized, 2 to 8 bits: <c>weight_packed</c> int32 [N, ceil(K * bits / 32)], along each row a
/// string of bits; <c>weight_shape</c> int64 [2] = N, K; <c>weight_scale</c> [N, groups]; <c>weight_zero_point</c> int32
/// [ceil(N * bits / 32), groups], down each column one, absent for symmetric codes; <c>weight_g_idx</c> int32 [K] with
/// act-order. Codes and zero points are stored with 2^(bits - 1) added. w = (q - z) * s.
/// </summary>
internal sealed unsafe class PackedIntegerLayout : IQuantizedLayout
{
    private const int WordBits = 32;

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, parts.GroupIndex is not null, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float[] scales = PlainTensors.Values(parts.Scales);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format, null, parts.GroupIndex);
        int rowBytes = (int)parts.Codes.Shape[1] * sizeof(uint);
        byte bias = (byte)(1 << (parts.Bits - 1));
        using (MappedFile.Lease lease = parts.Codes.Source.Acquire())
        {
            byte* data = lease.Pointer + parts.Codes.Position;
            for (int row = 0; row < matrix.Rows; row++)
            {
                Span<byte> codes = matrix.Codes(row);
                BitFields.Unpack(new ReadOnlySpan<byte>(data + ((long)row * rowBytes), rowBytes), parts.Bits, parts.Inputs, codes);
                if (parts.Format.Encoding == WeightEncoding.Int8)
                {
                    for (int k = 0; k < codes.Length; k++)
                        codes[k] -= bias;
                }

                scales.AsSpan(row * matrix.Groups, matrix.Groups).CopyTo(matrix.Scales(row));
                matrix.ZeroPoints(row).Fill(bias);
            }
        }

        if (parts.ZeroPoints is { } zeros)
            ReadZeroPoints(zeros, parts.Bits, matrix);
        return matrix;
    }

    private static void ReadZeroPoints(CheckpointTensor zeros, int bits, WeightMatrix matrix)
    {
        byte[] column = new byte[zeros.Shape[0] * sizeof(uint)];
        using MappedFile.Lease lease = zeros.Source.Acquire();
        byte* data = lease.Pointer + zeros.Position;
        for (int group = 0; group < matrix.Groups; group++)
        {
            for (int word = 0; word < column.Length / sizeof(uint); word++)
                new ReadOnlySpan<byte>(data + ((((long)word * matrix.Groups) + group) * sizeof(uint)), sizeof(uint)).CopyTo(column.AsSpan(word * sizeof(uint)));
            for (int row = 0; row < matrix.Rows; row++)
                matrix.ZeroPoints(row)[group] = (byte)BitFields.Read(column, row, bits);
        }
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        QuantizationConfig config = checkpoint.Quantization!;
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Words("weight_packed"), scales = tensors.Required("weight_scale", ModuleTensors.Floats);
        CheckpointTensor shape = tensors.Required("weight_shape", "I64", "I32");
        (int outputs, int words) = codes.MatrixShape();
        (long statedOutputs, long inputs) = ReadShape(shape);
        if (statedOutputs != outputs || inputs is <= 0 or > int.MaxValue / sizeof(float))
            throw new InvalidModelException(shape.File, shape.Name, $"it says [{statedOutputs}, {inputs}], beside {codes.Name} of [{outputs}, {words}]");
        // Several widths may fill the words of a short row; the config's own come first.
        int bits = config.Schemes.Select(static scheme => scheme.Bits ?? 0).Append(4).Append(8)
            .FirstOrDefault(width => width is >= 2 and <= 8 && ((inputs * width) + WordBits - 1) / WordBits == words);
        if (bits == 0)
            throw ModuleTensors.Wrong(codes, $"[{outputs}, inputs * bits / {WordBits}] for the {inputs} inputs of weight_shape and the bits of quantization_config");

        long groups = scales.Shape.Count == 2 ? scales.Shape[1] : 1;
        if (groups == 0 || scales.Elements != outputs * groups)
            throw ModuleTensors.Wrong(scales, $"[{outputs}, groups]");
        int groupSize = GroupSize(config, scales, (int)inputs, groups);
        CheckpointTensor? zeros = tensors.Optional("weight_zero_point", "I32", "U32");
        if (zeros is not null)
            ModuleTensors.Expect(zeros, codes, (((long)outputs * bits) + WordBits - 1) / WordBits, groups);
        WeightFormat format = bits <= 4 ? new(WeightEncoding.UInt4, groupSize, GroupOffset.ZeroPoint)
            : zeros is null ? new(WeightEncoding.Int8, groupSize) : new(WeightEncoding.UInt8, groupSize, GroupOffset.ZeroPoint);
        return new Parts(
            codes, scales, zeros, outputs, (int)inputs, bits, format,
            ModuleTensors.UnlessNeighbours(tensors.GroupIndex("weight_g_idx", (int)inputs, (int)groups), groupSize));
    }

    private static int GroupSize(QuantizationConfig config, CheckpointTensor scales, int inputs, long groups)
    {
        if (groups <= inputs && inputs % groups == 0)
            return (int)(inputs / groups);
        foreach (QuantizationConfig.Scheme scheme in config.Schemes)
        {
            if (scheme.GroupSize is > 0 and { } size && (inputs + (size - 1L)) / size == groups)
                return size;
        }

        throw new InvalidModelException(scales.File, scales.Name, $"{groups} groups do not divide {inputs} inputs, and no group_size of quantization_config gives that number");
    }

    private static (long Outputs, long Inputs) ReadShape(CheckpointTensor shape)
    {
        if (shape.Elements != 2)
            throw ModuleTensors.Wrong(shape, "[2]");
        using MappedFile.Lease lease = shape.Source.Acquire();
        var bytes = new ReadOnlySpan<byte>(lease.Pointer + shape.Position, (int)shape.Bytes);
        return shape.Type == "I64"
            ? (BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]))
            : (BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]));
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Scales, CheckpointTensor? ZeroPoints, int Outputs, int Inputs, int Bits, WeightFormat Format, int[]? GroupIndex);
}
