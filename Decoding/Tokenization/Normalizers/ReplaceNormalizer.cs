using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>Replaces every match of a pattern by a fixed text.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public override string Normalize(string text)
    {
        if (pattern.Literal is { } literal)
        {
            if (literal.Length == 0)
                return text;
            if (content.Length > literal.Length)
                CheckGrowth(text.Length, text.Length + (long)text.AsSpan().Count(literal) * (content.Length - literal.Length));
            return text.Replace(literal, content, StringComparison.Ordinal);
        }

        StringBuilder? output = null;
        int copied = 0;
        var matches = pattern.Matches(text);
        while (matches.MoveNext())
        {
            output ??= new StringBuilder(text.Length);
            output.Append(text, copied, matches.Start - copied).Append(content);
            CheckGrowth(text.Length, output.Length);
            copied = matches.End;
        }

        return output is null ? text : output.Append(text, copied, text.Length - copied).ToString();
    }
}
