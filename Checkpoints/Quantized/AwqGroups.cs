namespace Portable.Checkpoints;

/// <summary>The groups of the GEMV layouts, whose scales are padded, so that only the config tells them.</summary>
internal static class AwqGroups
{
    /// <summary>Inputs of a group.</summary>
    public static int Size(SafetensorsCheckpoint checkpoint, int inputs)
    {
        QuantizationConfig config = checkpoint.Quantization!;
        if (config.Bits is not (null or 4))
            throw new UnsupportedException($"awq with {config.Bits} bits in {checkpoint.Path}", "the gemv layouts have 4 bits");
        int size = config.GroupSize switch
        {
            -1 => inputs,
            > 0 and { } declared => declared,
            _ => throw new InvalidModelException(checkpoint.Path, "quantization_config.group_size", $"found {config.GroupSize?.ToString() ?? "nothing"}, expected -1 or a positive number"),
        };
        return inputs % size == 0 ? size : throw new InvalidModelException(
            checkpoint.Path, "quantization_config.group_size", $"{size} does not divide the {inputs} inputs of a module");
    }
}
