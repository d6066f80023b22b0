namespace Portable;

/// <summary>Bytes that a model will take on a device, known before anything is loaded.</summary>
/// <param name="WeightBytes">Weights in the device's own layout.</param>
/// <param name="KvBytesPerToken">KV cache of one token over all layers.</param>
/// <param name="KvBytes">KV cache for <paramref name="ContextTokens"/>.</param>
/// <param name="VisionBytes">Tower workspace and cached image features.</param>
/// <param name="WorkspaceBytes">Activations, logits, step metadata.</param>
/// <param name="ContextTokens">Tokens that the KV cache will hold.</param>
/// <param name="BudgetBytes">What the device may use.</param>
public sealed record MemoryPlan(
    long WeightBytes,
    long KvBytesPerToken,
    long KvBytes,
    long VisionBytes,
    long WorkspaceBytes,
    int ContextTokens,
    long BudgetBytes)
{
    /// <summary>Everything together.</summary>
    public long TotalBytes => WeightBytes + KvBytes + VisionBytes + WorkspaceBytes;

    /// <summary>Whether it fits the budget.</summary>
    public bool Fits => TotalBytes <= BudgetBytes;
}
