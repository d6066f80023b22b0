namespace Portable.Testing;

/// <summary>
/// How far logits may be from a float32 reference on a device with float16 activations, in standard deviations of the
/// logits. Every stored activation is rounded to 11 bits (unit roundoff 2^-11 = 4.9e-4, relative), some 12 times per
/// layer; independent roundings add as a random walk, over at most 6 layers sqrt(72) * 4.9e-4 = 4.2e-3 of the residual
/// stream's rms. Sharp attention and the head amplify that by up to a half: 6e-3. The worst of some 10^5 logits with
/// heavy tails is taken as 13 times the rms: 0.08, half of what the least of the wrong variants listed in the goldens moves.
/// </summary>
public static class Float16Bounds
{
    /// <summary>The root mean square.</summary>
    public const double Rms = 0.006;

    /// <summary>The worst logit.</summary>
    public const double Max = 0.08;

    /// <summary>
    /// The root mean square for mixtures of experts, where a rounding can flip a router's choice, which moves everything after
    /// it, and for recurrent states, which carry a rounding on to every later token (the reference's own noise is three times
    /// the other families' there); the goldens' README measures up to this with float16 arithmetic.
    /// </summary>
    public const double AmplifyingRms = 0.016;

    /// <summary>The worst logit for these, from the same measurement.</summary>
    public const double AmplifyingMax = 0.6;

    /// <summary>A tower of as many layers doubles the roundings, and the random walk grows by the root of that.</summary>
    public const double WithTower = 1.42;
}
