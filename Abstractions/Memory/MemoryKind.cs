namespace Portable;

/// <summary>What device memory is for. Budgets are kept and reported per kind, reserved in this order.</summary>
public enum MemoryKind
{
    /// <summary>Model weights, for the life of the model.</summary>
    Weights,

    /// <summary>Pages of the KV cache.</summary>
    KvCache,

    /// <summary>Pixels, patches and features of images.</summary>
    Vision,

    /// <summary>Activations, logits, step metadata.</summary>
    Workspace,
}
