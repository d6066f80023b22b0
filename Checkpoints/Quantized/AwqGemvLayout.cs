namespace Portable.Checkpoints;

/// <summary>
/// AutoAWQ's GEMV layout: <c>qweight</c> int32 [N, K/8] with the codes of a row in order, <c>qzeros</c> int32 [N, words]
/// with a row's zero points in order, <c>scales</c> [N, 8 * words], of which the first K / group_size count.
/// w = (q - z) * s.
/// </summary>
internal sealed unsafe class AwqGemvLayout : IQuantizedLayout
{
    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float[] scales = PlainTensors.Values(parts.Scales);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format);
        using MappedFile.Lease codes = parts.Codes.Source.Acquire();
        using MappedFile.Lease zeros = parts.Zeros.Source.Acquire();
        int codeBytes = parts.Inputs / 2, zeroBytes = (int)parts.Zeros.Shape[1] * sizeof(uint), padded = (int)parts.Scales.Shape[1];
        for (int row = 0; row < matrix.Rows; row++)
        {
            new ReadOnlySpan<byte>(codes.Pointer + parts.Codes.Position + ((long)row * codeBytes), codeBytes).CopyTo(matrix.Codes(row));
            scales.AsSpan(row * padded, matrix.Groups).CopyTo(matrix.Scales(row));
            var stream = new ReadOnlySpan<byte>(zeros.Pointer + parts.Zeros.Position + ((long)row * zeroBytes), zeroBytes);
            Span<byte> zeroPoints = matrix.ZeroPoints(row);
            for (int group = 0; group < zeroPoints.Length; group++)
                zeroPoints[group] = (byte)BitFields.Read(stream, group, 4);
        }

        return matrix;
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Words("qweight"), zeros = tensors.Words("qzeros"), scales = tensors.Matrix("scales", ModuleTensors.Floats);
        (int outputs, int words) = codes.MatrixShape();
        if (words > int.MaxValue / 8 / sizeof(float))
            throw ModuleTensors.Wrong(codes, "fewer inputs");
        int inputs = words * 8, groupSize = AwqGroups.Size(checkpoint, inputs), groups = inputs / groupSize;
        if (zeros.Shape[0] != outputs || zeros.Shape[1] < (groups + 7) / 8)
            throw ModuleTensors.Wrong(zeros, $"[{outputs}, {(groups + 7) / 8} or more] for {groups} groups");
        ModuleTensors.Expect(scales, zeros, outputs, zeros.Shape[1] * 8);
        return new Parts(codes, zeros, scales, outputs, inputs, new WeightFormat(WeightEncoding.UInt4, groupSize, GroupOffset.ZeroPoint));
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Zeros, CheckpointTensor Scales, int Outputs, int Inputs, WeightFormat Format);
}
