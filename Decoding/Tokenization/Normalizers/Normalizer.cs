namespace Portable.Decoding.Tokenization;

/// <summary>Rewrites a text before it is split. Immutable and thread-safe; given and giving well-formed UTF-16.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text; the very string where nothing changes.</summary>
    public abstract string Normalize(string text);
}
