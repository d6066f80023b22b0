namespace Portable.Decoding.Templates;

/// <summary>A rendered conversation.</summary>
/// <param name="Text">The prompt.</param>
/// <param name="AssistantSpans">
/// The parts that the template marks as the assistant's, by generation blocks, in the order of the text: start and
/// length in UTF-16 units of <paramref name="Text"/>. Empty where the template marks none.
/// </param>
public sealed record RenderedPrompt(string Text, IReadOnlyList<(int Start, int Length)> AssistantSpans);
