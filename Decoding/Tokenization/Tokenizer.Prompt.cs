namespace Portable.Decoding.Tokenization;

// A chat template mixes its own control tokens with text from users into one string. The text from users is guarded
// before: a character that no text holds is put into every special token it spells, and taken out here again.
public sealed partial class Tokenizer
{
    private readonly SpecialTexts _special;

    /// <summary>
    /// Prepares text from a user for a chat template, so that it can't become a special token: neither where it spells
    /// one nor where it makes one up together with what stands beside it. Text that holds nothing of the kind comes back
    /// as it is.
    /// </summary>
    /// <param name="userText">The text. Guard characters in it are dropped.</param>
    /// <param name="guard">A noncharacter such as U+FDD0; the same goes to <see cref="EncodePrompt"/>.</param>
    public string Guard(string userText, char guard)
    {
        ArgumentNullException.ThrowIfNull(userText);
        if (userText.Contains(guard))
            userText = userText.Replace(guard.ToString(), "", StringComparison.Ordinal);

        // Where special tokens are looked for behind a normalizer, other spellings become them too.
        bool everywhere = _normalizer is not null && _addedTokens.Any(t => t.Special && t.Normalized);
        return everywhere ? SpecialTexts.GuardAll(userText, guard) : _special.Guard(userText, guard);
    }

    /// <summary>
    /// The ids of a rendered chat prompt whose user parts went through <see cref="Guard"/>: control tokens of the
    /// template are tokens, those that users wrote are text. Without guards the same as <see cref="Encode(string, bool, SpecialTokens)"/>
    /// with <see cref="SpecialTokens.Parse"/>. No prefix or suffix is added: templates write their own.
    /// </summary>
    /// <param name="rendered">The rendered prompt.</param>
    /// <param name="guard">The guard character.</param>
    public int[] EncodePrompt(string rendered, char guard)
    {
        ArgumentNullException.ThrowIfNull(rendered);
        GuardPositions? guards = GuardPositions.Extract(rendered, guard, out string text);
        var ids = new List<int>();
        Encode(text, SpecialTokens.Parse, guards, ids);
        return [.. ids];
    }
}
