namespace Portable.Checkpoints;

/// <summary>What a checkpoint was opened from.</summary>
public enum CheckpointKind
{
    /// <summary>A folder in Hugging Face layout: config.json beside safetensors files.</summary>
    HuggingFace,

    /// <summary>A GGUF file, or all parts of a split one.</summary>
    Gguf,

    /// <summary>A single safetensors file, without a config.</summary>
    Safetensors,
}
