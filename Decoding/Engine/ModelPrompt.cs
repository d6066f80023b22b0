namespace Portable.Decoding;

/// <summary>A prompt as tokens, with the images that some of them stand for. Immutable.</summary>
public sealed class ModelPrompt
{
    /// <summary>Creates a prompt.</summary>
    /// <param name="tokens">Token ids; image tokens already expanded.</param>
    /// <param name="spans">Runs of image tokens, in order.</param>
    /// <param name="images">The images that the runs show.</param>
    public ModelPrompt(IReadOnlyList<int> tokens, IReadOnlyList<MediaSpan>? spans = null, IReadOnlyList<PreparedImage>? images = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        Tokens = [.. tokens];
        Spans = spans ?? [];
        Images = images ?? [];
        for (int i = 0; i < Images.Count; i++)
        {
            int shown = Spans.Where(s => s.Image == i).Sum(s => s.Length);
            if (shown != Images[i].Runs.Sum(r => r.Count))
                throw new ArgumentException($"{shown} tokens show image {i + 1}, which has {Images[i].Runs.Sum(r => r.Count)}", nameof(spans));
        }

        int end = 0;
        foreach (MediaSpan span in Spans)
        {
            if (span.Start < end || span.Length != span.Grid.Count || span.Start + span.Length > Tokens.Count || (uint)span.Image >= (uint)Images.Count)
                throw new ArgumentException($"{span} does not lie behind token {end} of {Tokens.Count}", nameof(spans));
            end = span.Start + span.Length;
        }
    }

    /// <summary>Token ids.</summary>
    public IReadOnlyList<int> Tokens { get; }

    /// <summary>Runs of image tokens.</summary>
    public IReadOnlyList<MediaSpan> Spans { get; }

    /// <summary>The images that the runs show.</summary>
    public IReadOnlyList<PreparedImage> Images { get; }

    /// <summary>What each position holds, so that equal prefixes of two prompts can be found.</summary>
    internal UInt128[] Keys()
    {
        var keys = new UInt128[Tokens.Count];
        for (int i = 0; i < keys.Length; i++)
            keys[i] = (UInt128)(uint)Tokens[i];
        foreach (MediaSpan span in Spans)
        {
            for (int i = 0; i < span.Length; i++)
                keys[span.Start + i] = (span.ContentHash ^ ((UInt128)(uint)(span.FirstRow + i) << 96)) | UInt128.One << 127;
        }

        return keys;
    }
}
