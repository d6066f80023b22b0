using System.Threading.Channels;

namespace Portable.Decoding;

/// <summary>
/// One running output: enumerate it once to get its tokens as they are produced. Abandoning the enumeration, or
/// cancelling, ends the work. The counts are final when the enumeration has ended.
/// </summary>
public sealed class Generation : IAsyncEnumerable<GeneratedToken>
{
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private readonly Func<Generation, CancellationToken, Task> _start;
    private readonly CancellationToken _cancellation;
    private int _isEnumerated;

    internal Generation(ModelPrompt prompt, GenerationOptions options, Func<Generation, CancellationToken, Task> start, CancellationToken cancellation)
    {
        Prompt = prompt;
        Options = options;
        _start = start;
        _cancellation = cancellation;
    }

    /// <summary>The prompt.</summary>
    public ModelPrompt Prompt { get; }

    /// <summary>The options.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Why the output ended.</summary>
    public GenerationEnd End { get; internal set; }

    /// <summary>Tokens produced so far, an end token included.</summary>
    public int OutputTokens { get; internal set; }

    /// <summary>Tokens of the prompt that an earlier call had left in the KV cache.</summary>
    public int CachedTokens { get; internal set; }

    /// <summary>Time from the turn's begin to the first token.</summary>
    public TimeSpan PrefillTime { get; internal set; }

    /// <summary>Time from the first token to the last.</summary>
    public TimeSpan DecodeTime { get; internal set; }

    internal ChannelWriter<GeneratedToken> Writer => _tokens.Writer;

    /// <inheritdoc/>
    public async IAsyncEnumerator<GeneratedToken> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _isEnumerated, 1) != 0)
            throw new InvalidOperationException("an output can be enumerated once");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_cancellation, cancellationToken);
        Task work = _start(this, ending.Token);
        bool isComplete = false;
        try
        {
            while (await _tokens.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
            {
                while (_tokens.Reader.TryRead(out GeneratedToken token))
                    yield return token;
            }

            isComplete = true;
        }
        finally
        {
            if (!isComplete)
                await ending.CancelAsync().ConfigureAwait(false);
            try
            {
                await work.ConfigureAwait(false);
            }
            catch (Exception error) when (!isComplete && error is OperationCanceledException or ObjectDisposedException)
            {
                // The consumer left; there is nobody to tell.
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
            catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
            {
                throw new OperationCanceledException(_cancellation);
            }
        }
    }
}
