namespace Portable.Checkpoints;

/// <summary>How one quantisation method stores a module in safetensors files.</summary>
internal interface IQuantizedLayout
{
    /// <summary>The tensor whose presence marks a module as quantised.</summary>
    string Marker { get; }

    /// <summary>Checks the module's tensors against each other and the config, and says what <see cref="Read"/> gives.</summary>
    MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module);

    /// <summary>Reads the module.</summary>
    WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module);
}

/// <summary>
/// The layouts that are read. The config says which layout, the tensors say which modules: lists of excluded modules
/// in configs are matched differently by different packages, what is in the file is not open to interpretation.
/// </summary>
internal static class QuantizedLayouts
{
    private static readonly string[] Markers = ["qweight", "weight_packed"];

    private static readonly (string Method, string? Version, IQuantizedLayout Layout)[] Table =
    [
        ("awq", null, new AwqGemmLayout()),
        ("awq", "gemm", new AwqGemmLayout()),
    ];

    /// <summary>The marker tensor of a quantised module; null for a module that is not.</summary>
    public static string? FindMarker(Checkpoint checkpoint, string module) =>
        Array.Find(Markers, marker => checkpoint.TryGetTensor(SafetensorsCheckpoint.TensorName(module, marker), out _));

    /// <summary>The layout of a checkpoint's quantised modules.</summary>
    public static IQuantizedLayout For(Checkpoint checkpoint, string marker)
    {
        if (checkpoint.Quantization is not { } config)
            throw new UnsupportedException($"tensor *.{marker} of {checkpoint.Path} without a quantization_config", "config.json must say in which layout it is packed");
        foreach ((string method, string? version, IQuantizedLayout layout) in Table)
        {
            if (method == config.Method && version == config.Version)
            {
                return layout.Marker == marker ? layout : throw new InvalidModelException(
                    checkpoint.Path, $"*.{marker}", $"quantization_config says {config}, whose tensors are named *.{layout.Marker}");
            }
        }

        throw new UnsupportedException(
            $"quantisation {config.Method}{(config.Version is null ? "" : $" version {config.Version}")} of {checkpoint.Path}",
            $"read are {string.Join(", ", Table.Where(static t => t.Version is not null).Select(static t => $"{t.Method} {t.Version}"))}");
    }

    /// <summary>How many weights a tensor holds: codes in packed words, none in what belongs to them.</summary>
    public static long Parameters(CheckpointTensor tensor, QuantizationConfig? config)
    {
        int bits = config?.Bits is > 0 and <= 8 and { } declared ? declared : 4;
        string suffix = tensor.Name[(tensor.Name.LastIndexOf('.') + 1)..];
        return suffix switch
        {
            "qweight" or "weight_packed" => tensor.Bytes * 8 / bits,
            "qzeros" or "scales" or "g_idx" or "weight_scale" or "weight_scale_inv" or "weight_zero_point" or "weight_shape"
                or "weight_g_idx" or "weight_global_scale" => 0,
            _ => tensor.Elements,
        };
    }
}
