using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>The last step: appends to a caller's text.</summary>
internal sealed class TextSink() : DecoderStage(null)
{
    public StringBuilder? Target { get; set; }

    public override void Token(ReadOnlySpan<char> text, bool continues) => Target!.Append(text);
}
