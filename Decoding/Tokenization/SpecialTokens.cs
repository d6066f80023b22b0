namespace Portable.Decoding.Tokenization;

/// <summary>What special tokens written in a text mean.</summary>
public enum SpecialTokens
{
    /// <summary>They are plain text: right for everything that a user wrote.</summary>
    AsText,

    /// <summary>They are the tokens: right for a rendered prompt whose user parts are guarded, and for trusted text.</summary>
    Parse,
}
