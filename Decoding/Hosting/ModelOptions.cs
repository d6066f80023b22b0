namespace Portable.Decoding;

/// <summary>Which model to load and how. What is left null comes from <see cref="PortableOptions"/>.</summary>
public sealed class ModelOptions
{
    internal const int MaxPrefillChunkTokens = 65536;

    /// <summary>A folder with config.json and safetensors, or a GGUF file (the first part of a split one).</summary>
    public string Path { get; set; } = "";

    /// <summary>
    /// The projector file (mmproj) with the vision part of a GGUF file; null takes the one beside it whose name holds "mmproj", if the model is of a family
    /// that has one.
    /// </summary>
    public string? ProjectorPath { get; set; }

    /// <summary>The name reported as model id; null takes the file's or folder's name.</summary>
    public string? ModelId { get; set; }

    /// <summary>"auto", a backend's id or a device's id.</summary>
    public string? Backend { get; set; }

    /// <summary>How the device computes.</summary>
    public NumericMode? Numerics { get; set; }

    /// <summary>Host threads; 0 means the number of cores.</summary>
    public int? Threads { get; set; }

    /// <summary>Bytes that the model may take on its device.</summary>
    public long? MemoryBudgetBytes { get; set; }

    /// <summary>
    /// Tokens of the KV cache: prompt and output together. Null takes the model's own context, at most 8192, less when
    /// the memory budget asks for it; a number is kept or refused.
    /// </summary>
    public int? ContextTokens { get; set; }

    /// <summary>
    /// Bits of the output matrix, 4 or 6; null takes it as the checkpoint has it. Fewer bits are read faster, at some cost in quality; a matrix that has
    /// no more bits already stays as it is. An engine file keeps what it was built with.
    /// </summary>
    public int? HeadBits { get; set; }

    /// <summary>Tokens of one prefill step, 1 to 65536; cancellation is seen between steps.</summary>
    public int PrefillChunkTokens { get; set; } = 256;

    /// <summary>Whether the host loads the model when it starts, instead of at the first request.</summary>
    public bool LoadAtStart { get; set; } = true;

    /// <summary>The options with everything that they leave open taken from the application's.</summary>
    internal (string Backend, DeviceOptions Device) Resolve(PortableOptions defaults) => (Backend ?? defaults.Backend, new DeviceOptions
    {
        Numerics = Numerics ?? defaults.Numerics,
        Threads = Threads ?? defaults.Threads,
        MemoryBudgetBytes = MemoryBudgetBytes ?? defaults.MemoryBudgetBytes,
    });
}
