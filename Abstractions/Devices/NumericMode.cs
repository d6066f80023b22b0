namespace Portable;

/// <summary>How a device that has the choice computes. Both modes give the same bits for any number of threads.</summary>
public enum NumericMode
{
    /// <summary>What the hardware likes, its error measured and stated: int8 activations per group on a CPU.</summary>
    Fast,

    /// <summary>float32 activations against the canonical weights: the mode of goldens.</summary>
    Reference,
}
