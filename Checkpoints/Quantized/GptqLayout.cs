using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>
/// GPTQ of AutoGPTQ and GPTQModel, 2, 3, 4 and 8 bits: <c>qweight</c> int32 [K * bits / 32, N], down each column a string
/// of bits over K; <c>qzeros</c> int32 [groups, words], along each row one over N; <c>scales</c> [groups, N];
/// <c>g_idx</c> int32 [K], the group of each input. w = (q - z) * s.
/// The first version stores z - 1. For 2, 4 and 8 bits that was subtracted from whole words, so that a zero point of 0
/// borrows from its neighbour, and is added to whole words here; for 3 bits each field wraps around by itself.
/// Bits and groups follow from the shapes, since the config may override them by module.
/// </summary>
/// <param name="isFirstVersion">Whether zero points are stored minus 1.</param>
internal sealed unsafe class GptqLayout(bool isFirstVersion) : IQuantizedLayout
{
    private const int WordBits = 32;

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, Format(parts, Symmetric8(parts)), parts.GroupIndex is not null, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        bool isSymmetric8 = Symmetric8(parts);
        float[] scales = PlainTensors.Values(parts.Scales);
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, Format(parts, isSymmetric8), null, parts.GroupIndex);
        using MappedFile.Lease codes = parts.Codes.Source.Acquire();
        WordTranspose.Run((uint*)(codes.Pointer + parts.Codes.Position), parts.Bits, isSymmetric8 ? 0x80808080 : 0, matrix);
        byte[] zeroPoints = new byte[parts.Outputs];
        for (int group = 0; group < matrix.Groups; group++)
        {
            ZeroPoints(parts, group, zeroPoints);
            for (int n = 0; n < matrix.Rows; n++)
            {
                matrix.Scales(n)[group] = scales[((long)group * matrix.Rows) + n];
                if (!isSymmetric8)
                    matrix.ZeroPoints(n)[group] = zeroPoints[n];
            }
        }

        return matrix;
    }

    private static WeightFormat Format(Parts parts, bool isSymmetric8) => isSymmetric8
        ? new(WeightEncoding.Int8, parts.GroupSize)
        : new(parts.Bits == 8 ? WeightEncoding.UInt8 : WeightEncoding.UInt4, parts.GroupSize, GroupOffset.ZeroPoint);

    /// <summary>Whether 8-bit codes have the zero point 128 throughout: as signed ones they need none, which every device takes.</summary>
    private bool Symmetric8(Parts parts)
    {
        if (parts.Bits != 8)
            return false;
        byte[] zeroPoints = new byte[parts.Outputs];
        for (int group = 0; group < parts.Groups; group++)
        {
            ZeroPoints(parts, group, zeroPoints);
            if (zeroPoints.AsSpan().ContainsAnyExcept((byte)128))
                return false;
        }

        return true;
    }

    private void ZeroPoints(Parts parts, int group, Span<byte> zeroPoints)
    {
        int words = (int)parts.Zeros.Shape[1];
        byte[] row = new byte[words * sizeof(uint)];
        ModuleTensors.Bytes(parts.Zeros, (data, _) => new ReadOnlySpan<byte>(data + ((long)group * row.Length), row.Length).CopyTo(row));
        uint added = !isFirstVersion ? 0 : parts.Bits switch { 2 => 0x55555555u, 4 => 0x11111111u, 8 => 0x01010101u, _ => 0 };
        for (int i = 0; added != 0 && i < words; i++)
        {
            Span<byte> word = row.AsSpan(i * sizeof(uint));
            BinaryPrimitives.WriteUInt32LittleEndian(word, BinaryPrimitives.ReadUInt32LittleEndian(word) + added);
        }

        int wrapped = isFirstVersion && parts.Bits == 3 ? 1 : 0;
        for (int n = 0; n < zeroPoints.Length; n++)
            zeroPoints[n] = (byte)((BitFields.Read(row, n, parts.Bits) + wrapped) & ((1 << parts.Bits) - 1));
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        QuantizationConfig config = checkpoint.Quantization!;
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Words("qweight"), zeros = tensors.Words("qzeros"), scales = tensors.Matrix("scales", ModuleTensors.Floats);
        (int words, int outputs) = codes.MatrixShape();
        long totalBits = (long)words * WordBits;
        long inputs = tensors.Optional("g_idx", "I32", "U32") is { } index ? index.Elements : totalBits / (config.Bits is > 0 and { } declared ? declared : 4);
        if (inputs == 0 || totalBits % inputs != 0 || totalBits / inputs is not (2 or 3 or 4 or 8) || inputs > int.MaxValue / sizeof(float))
            throw ModuleTensors.Wrong(codes, $"[inputs * bits / {WordBits}, outputs] with 2, 3, 4 or 8 bits and {inputs} inputs");
        int bits = (int)(totalBits / inputs);
        long groups = scales.Shape[0];
        ModuleTensors.Expect(scales, codes, groups, outputs);
        ModuleTensors.Expect(zeros, codes, groups, (((long)outputs * bits) + WordBits - 1) / WordBits);
        int groupSize = GroupSize(config, scales, (int)inputs, groups);
        return new Parts(codes, zeros, scales, outputs, (int)inputs, bits, (int)groups, groupSize,
            ModuleTensors.UnlessNeighbours(tensors.GroupIndex("g_idx", (int)inputs, (int)groups), groupSize));
    }

    private static int GroupSize(QuantizationConfig config, CheckpointTensor scales, int inputs, long groups)
    {
        if (groups == 1)
            return inputs;
        if (config.GroupSize is > 0 and { } declared && (inputs + (declared - 1L)) / declared == groups)
            return declared;
        return inputs % groups == 0 ? (int)(inputs / groups) : throw new InvalidModelException(
            scales.File, scales.Name, $"{groups} groups do not divide {inputs} inputs, and quantization_config.group_size {config.GroupSize} gives another number");
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Zeros, CheckpointTensor Scales, int Outputs, int Inputs, int Bits, int Groups, int GroupSize, int[]? GroupIndex);
}
