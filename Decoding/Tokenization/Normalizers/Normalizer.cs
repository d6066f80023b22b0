namespace Portable.Decoding.Tokenization;

/// <summary>Rewrites a text before it is split. Immutable and thread-safe; given and giving well-formed UTF-16.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text; the very string where nothing changes.</summary>
    public abstract string Normalize(string text);

    /// <summary>
    /// Refuses a text that grew beyond all reason: the widest decomposition of Unicode is 18 characters for one, and a
    /// hostile file must not make a text of gigabytes.
    /// </summary>
    protected static void CheckGrowth(int before, long after)
    {
        if (after > 64L * before + 4096)
            throw new UnsupportedException("the normalizer", $"it makes {after} characters of {before}");
    }
}
