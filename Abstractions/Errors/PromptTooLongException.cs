namespace Portable;

/// <summary>A prompt, with the tokens asked for, exceeds the context or the KV budget. Raised before prefill.</summary>
public sealed class PromptTooLongException : PortableException
{
    /// <summary>Creates the error.</summary>
    public PromptTooLongException(int promptTokens, int limitTokens, string limit)
        : base($"The prompt has {promptTokens:N0} tokens, {limit} allows {limitTokens:N0}; shorten the conversation or raise the limit.")
    {
        PromptTokens = promptTokens;
        LimitTokens = limitTokens;
    }

    /// <summary>Tokens of the prompt, image tokens included.</summary>
    public int PromptTokens { get; }

    /// <summary>Tokens that fit.</summary>
    public int LimitTokens { get; }
}
