using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Turns ids that come one at a time into text. A character is shown with its last byte, never earlier; bytes that can't
/// become a character any more are shown as U+FFFD at once. Serves one sequence and one thread at a time.
/// </summary>
public sealed class TokenStream
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly TextSink _sink = new();
    private readonly DecoderStage _first;

    internal TokenStream(Tokenizer tokenizer, bool skipSpecialTokens, bool whole)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _first = tokenizer.CreateDecoder(_sink, whole);
    }

    /// <summary>Takes one id and appends what it makes visible, often nothing. Ids that name no token show nothing.</summary>
    /// <param name="id">The id.</param>
    /// <param name="text">Is appended to.</param>
    public void Append(int id, StringBuilder text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (_tokenizer.DecodedText(id) is not { } token || (_skipSpecialTokens && _tokenizer.IsSpecial(id)))
            return;
        _sink.Target = text;
        _first.Token(token, continues: false);
    }

    /// <summary>Ends the text: appends what was held back. The stream must not be used any more.</summary>
    /// <param name="text">Is appended to.</param>
    public void Flush(StringBuilder text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _sink.Target = text;
        _first.End();
    }
}
