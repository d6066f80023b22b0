namespace Portable.Decoding;

/// <summary>A token with its log-probability by the model itself, before any option changes the distribution.</summary>
/// <param name="Token">The id.</param>
/// <param name="LogProbability">Natural logarithm of its probability.</param>
public readonly record struct TokenLogProbability(int Token, float LogProbability);

/// <summary>One token of an output.</summary>
/// <param name="Token">The id.</param>
/// <param name="LogProbability">Its log-probability when asked for, else null.</param>
/// <param name="Top">The most likely tokens when asked for, else empty.</param>
public readonly record struct GeneratedToken(int Token, float? LogProbability, IReadOnlyList<TokenLogProbability> Top);
