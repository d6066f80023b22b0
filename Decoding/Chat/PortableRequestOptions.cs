using Microsoft.Extensions.AI;

namespace Portable.Decoding;

/// <summary>
/// Options of a request that <see cref="ChatOptions"/> has no property for; hand them over through
/// <see cref="ChatOptions.RawRepresentationFactory"/>. Loosely typed callers may put min_p, repetition_penalty,
/// logit_bias, top_logprobs and template arguments into <see cref="ChatOptions.AdditionalProperties"/> instead.
/// </summary>
public sealed record PortableRequestOptions
{
    /// <summary>As <see cref="SamplingOptions.MinP"/>.</summary>
    public float? MinP { get; init; }

    /// <summary>As <see cref="SamplingOptions.RepetitionPenalty"/>.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>As <see cref="SamplingOptions.LogitBias"/>.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>
    /// As <see cref="SamplingOptions.TopLogProbabilities"/>; the tokens are in <see cref="ChatResponseUpdate.RawRepresentation"/>
    /// as a list of <see cref="GeneratedToken"/>.
    /// </summary>
    public int? TopLogProbabilities { get; init; }

    /// <summary>
    /// Which of the model's chat templates is used, by its name, such as rag; null takes tool_use for a request with tools where the model has it,
    /// else the default.
    /// </summary>
    public string? Template { get; init; }

    /// <summary>Further variables of the chat template, such as enable_thinking: strings, booleans or numbers.</summary>
    public IReadOnlyDictionary<string, object?>? TemplateArguments { get; init; }
}
