namespace Portable.Checkpoints;

/// <summary>
/// The packed formats of compressed-tensors, told apart by their tensors: <c>weight_packed</c> of 32-bit words is
/// pack-quantized, of bytes nvfp4-pack-quantized with <c>weight_global_scale</c> and mxfp4-pack-quantized without.
/// </summary>
internal sealed class CompressedPackedLayout : IQuantizedLayout
{
    private static readonly PackedIntegerLayout Integers = new();
    private static readonly PackedFloat4Layout Floats = new();

    public MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module) => Choose(checkpoint, module).Describe(checkpoint, module);

    public WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module) => Choose(checkpoint, module).Read(checkpoint, module);

    private static IQuantizedLayout Choose(SafetensorsCheckpoint checkpoint, string module) =>
        new ModuleTensors(checkpoint, module).Matrix("weight_packed", "I32", "U32", "U8").Type == "U8" ? Floats : Integers;
}
