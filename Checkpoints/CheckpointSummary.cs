namespace Portable.Checkpoints;

/// <summary>What can be said of any sound checkpoint, also of an unknown architecture.</summary>
/// <param name="Kind">What it was opened from.</param>
/// <param name="Architecture">
/// The first of config.json's <c>architectures</c>, else its <c>model_type</c>; GGUF's <c>general.architecture</c>; null if none is named.
/// </param>
/// <param name="Name">The name the author gave, or null.</param>
/// <param name="Quantization">How weights are quantised, in words; null for plain floats.</param>
/// <param name="Parameters">Number of weights. Packed words count as the codes they hold; scales and zero points do not count.</param>
/// <param name="TensorCount">Number of stored tensors.</param>
/// <param name="Bytes">Bytes of all tensors.</param>
/// <param name="Types">Tensors and bytes of each stored type, the largest first.</param>
/// <param name="Files">The files that hold tensors.</param>
public sealed record CheckpointSummary(
    CheckpointKind Kind,
    string? Architecture,
    string? Name,
    string? Quantization,
    long Parameters,
    int TensorCount,
    long Bytes,
    IReadOnlyList<CheckpointTypeSummary> Types,
    IReadOnlyList<string> Files);

/// <summary>The share of one stored type in a checkpoint.</summary>
/// <param name="Type">The type as the format names it.</param>
/// <param name="TensorCount">Tensors of this type.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record CheckpointTypeSummary(string Type, int TensorCount, long Bytes);
