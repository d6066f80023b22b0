namespace Portable.Benchmarks.Generation;

/// <summary>What an answer took.</summary>
/// <param name="Prefill">Seconds to the first token.</param>
/// <param name="Step">Seconds of a token after it, on average.</param>
internal readonly record struct AnswerTimes(double Prefill, double Step);
