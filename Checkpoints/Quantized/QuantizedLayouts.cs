namespace Portable.Checkpoints;

/// <summary>
/// The layouts that are read. The config says which layout, the tensors say which modules: lists of excluded modules
/// in configs are matched differently by different packages, what is in the file is not open to interpretation.
/// </summary>
internal static class QuantizedLayouts
{
    // The tensor whose presence beside or in place of a module's weight marks it as quantised.
    private static readonly string[] Markers = ["qweight", "weight_packed", "weight.absmax", "weight_scale_inv", "weight_scale", "SCB"];

    private static readonly Row[] Table =
    [
        // Marlin, ExLlama and IPEX repack what the gemm layout stores, when they load it.
        new("awq", ["gemm", null, "marlin", "exllama", "ipex"], "qweight", new AwqGemmLayout()),
        new("awq", ["gemv"], "qweight", new AwqGemvLayout()),
        new("awq", ["gemv_fast"], "qweight", new AwqGemvFastLayout()),
        new("gptq", ["gptq", null], "qweight", new GptqLayout(isFirstVersion: true)),
        new("gptq", ["gptq_v2"], "qweight", new GptqLayout(isFirstVersion: false)),
        new("compressed-tensors", [], "weight_packed", new CompressedPackedLayout()),
        new("compressed-tensors", [], "weight_scale", new EightBitLayout()),
        new("fp8", [], "weight_scale_inv", new EightBitLayout()),
        new("fp8", [], "weight_scale", new EightBitLayout()),
        new("fbgemm_fp8", [], "weight_scale", new EightBitLayout()),
        new("bitsandbytes", ["nf4", "fp4"], "weight.absmax", new BitsAndBytesLayout()),
    ];

    /// <summary>The marker tensor of a quantised module; null for a module that is not.</summary>
    public static string? FindMarker(Checkpoint checkpoint, string module) =>
        Array.Find(Markers, marker => checkpoint.TryGetTensor(SafetensorsCheckpoint.TensorName(module, marker), out _));

    /// <summary>The layout of a checkpoint's quantised modules.</summary>
    public static IQuantizedLayout For(Checkpoint checkpoint, string marker)
    {
        if (checkpoint.Quantization is not { } config)
            throw new UnsupportedException($"tensor *.{marker} of {checkpoint.Path} without a quantization_config", "config.json must say in which layout it is packed");
        Row[] rows = Array.FindAll(Table, row => row.Method == config.Method && (row.Versions.Length == 0 || row.Versions.Contains(config.Version)));
        if (rows.Length == 0)
        {
            throw new UnsupportedException(
                $"quantisation {config.Method}{(config.Version is null ? "" : $" version {config.Version}")} of {checkpoint.Path}", $"read are {Readable}");
        }

        return Array.Find(rows, row => row.Marker == marker)?.Layout ?? throw new InvalidModelException(
            checkpoint.Path, $"*.{marker}",
            $"quantization_config says {config}, whose tensors are named {string.Join(" or ", rows.Select(static row => $"*.{row.Marker}"))}");
    }

    /// <summary>How many weights a tensor holds: codes in packed words, none in what belongs to them.</summary>
    public static long Parameters(SafetensorsCheckpoint checkpoint, CheckpointTensor tensor)
    {
        int dot = tensor.Name.LastIndexOf('.');
        (string module, string part) = dot < 0 ? ("", tensor.Name) : (tensor.Name[..dot], tensor.Name[(dot + 1)..]);
        if (part.EndsWith("_blocks", StringComparison.Ordinal) && tensor.Type == "U8")
            return 2 * tensor.Elements;
        if (checkpoint.Quantization is null)
            return tensor.Elements;
        if (part is "qweight" or "weight_packed" || (part == "weight" && tensor.Type == "U8"))
            return Codes(checkpoint, module) ?? tensor.Bytes * 8 / (checkpoint.Quantization.Bits is > 0 and <= 8 and { } bits ? bits : 4);
        return part is "qzeros" or "scales" or "g_idx" or "weight_scale" or "weight_scale_inv" or "weight_zero_point" or "weight_shape"
            or "weight_g_idx" or "weight_global_scale" or "input_global_scale" or "input_scale" or "absmax" or "quant_map" or "nested_absmax"
            or "nested_quant_map" or "SCB" || part.EndsWith("_scales", StringComparison.Ordinal)
            || part.StartsWith("bitsandbytes__", StringComparison.Ordinal) ? 0 : tensor.Elements;
    }

    private static string Readable => string.Join(
        ", ", Table.Select(static row => $"{row.Method} {row.Versions.FirstOrDefault()}".TrimEnd()).Distinct(StringComparer.Ordinal));

    private static long? Codes(SafetensorsCheckpoint checkpoint, string module)
    {
        try
        {
            MatrixInfo info = checkpoint.Describe(module);
            return (long)info.Rows * info.Columns;
        }
        catch (PortableException)
        {
            // A summary is given of what cannot be read, too.
            return null;
        }
    }

    // No versions: whatever the config says, the tensors tell.
    private sealed record Row(string Method, string?[] Versions, string Marker, IQuantizedLayout Layout);
}
