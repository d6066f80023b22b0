using System.Diagnostics;
using Portable.Decoding.Media;
using Portable.Decoding.Model;

namespace Portable.Decoding.Engine;

/// <summary>
/// Produces one output at a time on a session: reuses the common prefix of the previous prompt and output, prefills the
/// rest, then decodes token by token. Runs on the engine's thread.
/// </summary>
internal sealed class GenerationLoop(
    DecoderSession session, CommandStream stream, IImageEncoder? images, int axes, IReadOnlyList<int> endTokens, int vocabularySize)
{
    private readonly Sampler _sampler = new(vocabularySize);
    private readonly HashSet<int> _endTokens = [.. endTokens];
    private readonly UInt128[] _keys = new UInt128[session.ContextTokens];

    /// <summary>Runs a generation to its end, writing tokens as they come.</summary>
    public void Run(Generation generation, CancellationToken cancellation)
    {
        try
        {
            RunUnguarded(generation, cancellation);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // A step that failed midway leaves keys and values in doubt.
            session.Truncate(0);
            throw;
        }
    }

    private void RunUnguarded(Generation generation, CancellationToken cancellation)
    {
        long begin = Stopwatch.GetTimestamp();
        ModelPrompt prompt = generation.Prompt;
        SamplingOptions sampling = generation.Options.Sampling;
        int delta = Prefill(generation, cancellation);
        int room = session.ContextTokens - session.Length + 1;
        int wanted = Math.Min(generation.Options.MaxTokens ?? int.MaxValue, room);
        _sampler.Start(sampling, prompt.Tokens is int[] array ? array : [.. prompt.Tokens]);
        long first = 0;
        while (true)
        {
            GeneratedToken token = Next(sampling);
            generation.OutputTokens++;
            generation.Writer.TryWrite(token);
            if (first == 0)
            {
                first = Stopwatch.GetTimestamp();
                generation.PrefillTime = Stopwatch.GetElapsedTime(begin, first);
            }

            generation.DecodeTime = Stopwatch.GetElapsedTime(first);
            if (!generation.Options.IgnoreEndTokens && _endTokens.Contains(token.Token))
            {
                generation.End = GenerationEnd.EndToken;
                return;
            }

            if (generation.OutputTokens == wanted)
            {
                generation.End = wanted == generation.Options.MaxTokens ? GenerationEnd.MaxTokens : GenerationEnd.ContextFull;
                return;
            }

            cancellation.ThrowIfCancellationRequested();
            Step(token.Token, delta);
        }
    }

    /// <summary>Chooses the next token from the logits of the last step.</summary>
    internal GeneratedToken Next(SamplingOptions sampling)
    {
        if (sampling.IsPlainGreedy)
            return new GeneratedToken(session.BestToken(), null, []);
        ReadOnlySpan<float> logits = session.Logits();
        int token = _sampler.Choose(logits);
        _sampler.Accept(token);
        if (sampling.TopLogProbabilities is not { } count)
            return new GeneratedToken(token, null, []);
        var top = new TokenLogProbability[Math.Min(count, logits.Length)];
        float own = _sampler.LogProbabilities(logits, token, top);
        return new GeneratedToken(token, own, top);
    }

    /// <summary>Extends the sequence by a token.</summary>
    internal void Step(int token, int delta)
    {
        _keys[session.Length] = (UInt128)(uint)token;
        session.Decode(token, session.Length + delta);
    }

    private int Prefill(Generation generation, CancellationToken cancellation)
    {
        ModelPrompt prompt = generation.Prompt;
        int[] tokens = [.. prompt.Tokens];
        int[] positions = RopePositions.Compute(tokens.Length, axes, prompt.Spans, out int delta);
        UInt128[] keys = prompt.Keys();
        long longest = tokens.Length + (long)(generation.Options.MaxTokens ?? session.ContextTokens);
        session.PlanLength((int)Math.Min(longest, session.ContextTokens));
        int reused = session.Truncate(CommonPrefix(keys, prompt.Spans));
        generation.CachedTokens = reused;

        var encoded = new List<EncodedImage>();
        try
        {
            var spans = new List<MediaSpan>();
            int last = -1;
            foreach (MediaSpan span in prompt.Spans)
            {
                if (span.Start < reused)
                    continue;
                if (span.Image != last)
                    encoded.Add(images!.Encode(prompt.Images[span.Image], stream, cancellation));
                last = span.Image;
                spans.Add(span with { Start = span.Start - reused, Image = encoded.Count - 1 });
            }

            PromptMedia? media = spans.Count == 0 ? null : new PromptMedia(spans, [.. encoded.Select(e => e.Features)], LayerFeatures(encoded));
            int count = tokens.Length - reused;
            if (reused > 0)
                positions = Tail(positions, tokens.Length, reused);
            try
            {
                session.Prefill(tokens.AsSpan(reused), positions, media, 1, cancellation);
            }
            finally
            {
                keys.AsSpan(0, session.Length).CopyTo(_keys);
            }
        }
        finally
        {
            try
            {
                stream.Synchronize();
            }
            finally
            {
                foreach (EncodedImage image in encoded)
                    image.Dispose();
            }
        }

        return delta;
    }

    /// <summary>Leading positions that the cache already holds; at least one token is left to run, and no image is cut.</summary>
    private int CommonPrefix(UInt128[] keys, IReadOnlyList<MediaSpan> spans)
    {
        int limit = Math.Min(session.Length, keys.Length - 1);
        int common = _keys.AsSpan(0, limit).CommonPrefixLength(keys.AsSpan(0, limit));
        foreach (MediaSpan span in spans)
        {
            if (span.Start < common && common < span.Start + span.Length)
                return span.Start;
        }

        return common;
    }

    private int[] Tail(int[] positions, int tokens, int skipped)
    {
        int left = tokens - skipped;
        var tail = new int[axes * left];
        for (int axis = 0; axis < axes; axis++)
            Array.Copy(positions, (axis * tokens) + skipped, tail, axis * left, left);
        return tail;
    }

    private static List<IReadOnlyList<TensorView>> LayerFeatures(List<EncodedImage> encoded)
    {
        var layers = new List<IReadOnlyList<TensorView>>();
        for (int layer = 0; layer < encoded[0].LayerFeatures.Count; layer++)
            layers.Add([.. encoded.Select(e => e.LayerFeatures[layer])]);
        return layers;
    }
}
