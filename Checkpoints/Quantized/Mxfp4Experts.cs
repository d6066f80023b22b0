namespace Portable.Checkpoints;

/// <summary>
/// gpt-oss's experts in MXFP4: <c>*_blocks</c> uint8 [experts, N, K/32, 16], the low nibble being the even input, and
/// <c>*_scales</c> uint8 [experts, N, K/32]. w = e2m1[q] * 2^(scale - 127).
/// </summary>
internal static unsafe class Mxfp4Experts
{
    private const int GroupSize = 32, BlockBytes = 16;
    private static readonly WeightFormat Format = new(WeightEncoding.Codebook4, GroupSize);

    /// <summary>The tensor with a module's blocks; null where it has none.</summary>
    public static CheckpointTensor? Find(Checkpoint checkpoint, string module) =>
        checkpoint.TryGetTensor(module + "_blocks", out CheckpointTensor? blocks) ? blocks : null;

    /// <summary>Checks the tensors and says what <see cref="Read"/> gives.</summary>
    public static MatrixInfo Describe(Checkpoint checkpoint, string module, CheckpointTensor blocks, int expert)
    {
        Check(checkpoint, module, blocks, expert);
        return new MatrixInfo(module, (int)blocks.Shape[1], (int)blocks.Shape[2] * GroupSize, Format, false, blocks.Name);
    }

    /// <summary>Reads one expert.</summary>
    public static WeightMatrix Read(Checkpoint checkpoint, string module, CheckpointTensor blocks, int expert)
    {
        CheckpointTensor scales = Check(checkpoint, module, blocks, expert);
        int rows = (int)blocks.Shape[1], groups = (int)blocks.Shape[2];
        float[] values = new float[256];
        for (int i = 0; i < values.Length; i++)
            values[i] = BlockScales.E8M0((byte)i);
        WeightMatrix matrix = WeightMatrix.Allocate(blocks.Name, rows, groups * GroupSize, Format, Codebooks.E2M1);
        long skipped = (long)expert * rows * groups;
        using MappedFile.Lease blockLease = blocks.Source.Acquire();
        using MappedFile.Lease scaleLease = scales.Source.Acquire();
        BlockScales.Read(
            blockLease.Pointer + blocks.Position + (skipped * BlockBytes), scaleLease.Pointer + scales.Position + skipped, values, matrix);
        return matrix;
    }

    private static CheckpointTensor Check(Checkpoint checkpoint, string module, CheckpointTensor blocks, int expert)
    {
        IReadOnlyList<long> shape = blocks.Shape;
        if (blocks.Type != "U8" || shape.Count != 4 || shape[3] != BlockBytes || shape[1] is 0 or > int.MaxValue || shape[2] is 0 or > int.MaxValue / GroupSize / sizeof(float))
            throw new InvalidModelException(blocks.File, blocks.Name, $"found {blocks.Type} [{string.Join(", ", shape)}], expected U8 [experts, outputs, inputs / {GroupSize}, {BlockBytes}]");
        blocks.CheckExpert(expert);
        if (!checkpoint.TryGetTensor(module + "_scales", out CheckpointTensor? scales))
            throw new InvalidModelException(blocks.File, module + "_scales", $"the tensor is missing beside {blocks.Name}");
        if (scales.Type is not ("U8" or "F8_E8M0"))
            throw new InvalidModelException(scales.File, scales.Name, $"the type is {scales.Type}, expected U8");
        ModuleTensors.Expect(scales, blocks, shape[0], shape[1], shape[2]);
        return scales;
    }
}
