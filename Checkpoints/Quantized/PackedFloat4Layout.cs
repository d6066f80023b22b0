namespace Portable.Checkpoints;

/// <summary>
/// 4-bit floats of compressed-tensors: <c>weight_packed</c> uint8 [N, K/2], the low nibble being the even input.
/// nvfp4-pack-quantized: <c>weight_scale</c> E4M3 [N, K/16], <c>weight_global_scale</c> float32 [1],
/// w = e2m1[q] * (scale / global). mxfp4-pack-quantized: <c>weight_scale</c> uint8 [N, K/32], w = e2m1[q] * 2^(scale - 127).
/// </summary>
internal sealed unsafe class PackedFloat4Layout : IQuantizedLayout
{
    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        return new MatrixInfo(module, parts.Outputs, parts.Inputs, parts.Format, false, parts.Codes.Name);
    }

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module)
    {
        Parts parts = Check(checkpoint, module);
        float global = parts.Global is { } tensor ? PlainTensors.Values(tensor)[0] : 1;
        float[] values = new float[256];
        for (int i = 0; i < values.Length; i++)
            values[i] = parts.Global is null ? BlockScales.E8M0((byte)i) : Float8.FromE4M3((byte)i) / global;
        WeightMatrix matrix = WeightMatrix.Allocate(parts.Codes.Name, parts.Outputs, parts.Inputs, parts.Format, Codebooks.E2M1);
        using MappedFile.Lease codes = parts.Codes.Source.Acquire();
        using MappedFile.Lease scales = parts.Scales.Source.Acquire();
        BlockScales.Read(codes.Pointer + parts.Codes.Position, scales.Pointer + parts.Scales.Position, values, matrix);
        return matrix;
    }

    private static Parts Check(SafetensorsCheckpoint checkpoint, string module)
    {
        var tensors = new ModuleTensors(checkpoint, module);
        CheckpointTensor codes = tensors.Matrix("weight_packed", "U8");
        CheckpointTensor? global = tensors.Optional("weight_global_scale", ModuleTensors.Floats);
        if (global is { Elements: not 1 })
            throw ModuleTensors.Wrong(global, "[1]");
        CheckpointTensor scales = global is null ? tensors.Matrix("weight_scale", "U8", "F8_E8M0") : tensors.Matrix("weight_scale", "F8_E4M3");
        (int outputs, int pairs) = codes.MatrixShape();
        if (pairs > int.MaxValue / 2 / sizeof(float))
            throw ModuleTensors.Wrong(codes, "fewer inputs");
        int inputs = pairs * 2, groupSize = global is null ? 32 : 16;
        ModuleTensors.Expect(scales, codes, outputs, (inputs + groupSize - 1) / groupSize);
        return new Parts(codes, scales, global, outputs, inputs, new WeightFormat(WeightEncoding.Codebook4, groupSize));
    }

    private readonly record struct Parts(
        CheckpointTensor Codes, CheckpointTensor Scales, CheckpointTensor? Global, int Outputs, int Inputs, WeightFormat Format);
}
