using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// AutoAWQ's fast GEMV layout: <c>qweight</c> int16 [N/4, K] with code (n, k) in row n/4, word
/// 64 * (k/64) + 16 * (n%4) + 8 * (k/32 % 2) + k%8, at bit 4 * (k%32 / 8); <c>scales</c> and <c>qzeros</c> float16
/// [groups or more, N], qzeros holding -s * z rounded. w = (q * s) + qzeros.
/// </summary>
internal sealed unsafe class AwqGemvFastLayout : IQuantizedLayout
{
    private const int Rows = 4, Tile = 64;

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float[] scales = PlainTensors.Values(parts.Scales), minimums = PlainTensors.Values(parts.Minimums);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format);
        using MappedFile.Lease lease = parts.Codes.Source.Acquire();
        byte* words = lease.Pointer + parts.Codes.Position;
        for (int row = 0; row < matrix.Rows; row++)
        {
            var stored = new ReadOnlySpan<byte>(words + (row / Rows * (long)parts.Inputs * sizeof(ushort)), parts.Inputs * sizeof(ushort));
            Span<byte> codes = matrix.Codes(row);
            for (int k = 0; k < parts.Inputs; k += 2)
                codes[k / 2] = (byte)(Code(stored, row, k) | (Code(stored, row, k + 1) << 4));
            for (int group = 0; group < matrix.Groups; group++)
            {
                matrix.Scales(row)[group] = scales[(group * matrix.Rows) + row];
                matrix.Minimums(row)[group] = minimums[(group * matrix.Rows) + row];
            }
        }

        return matrix;
    }

    private static int Code(ReadOnlySpan<byte> stored, int row, int k)
    {
        int word = (k / Tile * Tile) + (16 * (row % Rows)) + (8 * (k / 32 % 2)) + (k % 8);
        return (BinaryPrimitives.ReadUInt16LittleEndian(stored[(word * sizeof(ushort))..]) >> (k % 32 / 8 * 4)) & 15;
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Matrix("qweight", "I16", "U16");
        CheckpointTensor scales = tensors.Matrix("scales", ModuleTensors.Floats), minimums = tensors.Matrix("qzeros", ModuleTensors.Floats);
        (int quarter, int inputs) = codes.MatrixShape();
        if (quarter > int.MaxValue / Rows || inputs % Tile != 0)
            throw ModuleTensors.Wrong(codes, $"[outputs / {Rows}, inputs], the inputs a multiple of {Tile}");
        int outputs = quarter * Rows, groupSize = AwqGroups.Size(checkpoint, inputs), groups = inputs / groupSize;
        if (scales.Shape[0] < groups || scales.Shape[1] != outputs)
            throw ModuleTensors.Wrong(scales, $"[{groups} or more, {outputs}]");
        ModuleTensors.Expect(minimums, scales, [.. scales.Shape]);
        return new Parts(codes, scales, minimums, outputs, inputs, new WeightFormat(WeightEncoding.UInt4, groupSize, GroupOffset.Minimum));
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Scales, CheckpointTensor Minimums, int Outputs, int Inputs, WeightFormat Format);
}
