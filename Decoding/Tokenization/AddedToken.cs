namespace Portable.Decoding.Tokenization;

/// <summary>A token that is looked for in the text before the model cuts it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">
/// Whether it controls the model (turn marks, image places). In text from users such tokens must stay text.
/// </param>
/// <param name="Normalized">Whether it is looked for in the normalized text, not in the text as given.</param>
/// <param name="SingleWord">Whether it counts only where no word character touches it.</param>
/// <param name="StripLeft">Whether it takes the white space before it along.</param>
/// <param name="StripRight">Whether it takes the white space behind it along.</param>
public sealed record AddedToken(
    int Id,
    string Content,
    bool Special,
    bool Normalized = false,
    bool SingleWord = false,
    bool StripLeft = false,
    bool StripRight = false);
