using Microsoft.Extensions.AI;
using Portable.Decoding;

namespace Portable.Tests.Engine;

/// <summary>Calls take turns at a model: none sees another's tokens, and each can be cancelled or left at any time.</summary>
[TestFixture]
public sealed class TurnTests
{
    private TinyModel _tiny = null!;
    private PortableModel _model = null!;

    [OneTimeSetUp]
    public async Task Load()
    {
        _tiny = new TinyModel(seed: 3, context: 4096);
        _model = await Loading.LoadAsync(_tiny);
    }

    [OneTimeTearDown]
    public void Unload()
    {
        _model.Dispose();
        _tiny.Dispose();
    }

    private ModelPrompt Prompt(string text) => Loading.Prompt(_model, text);

    [Test]
    public async Task Eight_concurrent_calls_give_the_answers_of_single_calls()
    {
        ModelPrompt[] prompts = [.. Enumerable.Range(0, 8).Select(i => Prompt($"question {i}: {new string((char)('a' + i), 10 + (3 * i))}"))];
        var single = new List<int[]>();
        foreach (ModelPrompt prompt in prompts)
            single.Add(await Loading.TokensAsync(_model, prompt));
        Assert.That(single.Select(t => string.Join(' ', t)).Distinct().Count(), Is.EqualTo(8), "the questions have answers of their own");
        int[][] concurrent = await Task.WhenAll(prompts.Select(p => Task.Run(() => Loading.TokensAsync(_model, p))));
        Assert.That(concurrent, Is.EqualTo(single));
    }

    [Test]
    public async Task Eight_concurrent_chats_give_the_answers_of_single_chats()
    {
        string[] questions = [.. Enumerable.Range(0, 8).Select(i => new string((char)('k' + i), 20 + i))];
        var single = new List<string>();
        foreach (string question in questions)
            single.Add((await Loading.AskAsync(_model, question)).Text);
        ChatResponse[] concurrent = await Task.WhenAll(questions.Select(q => Task.Run(() => Loading.AskAsync(_model, q))));
        Assert.That(concurrent.Select(r => r.Text), Is.EqualTo(single));
    }

    [Test]
    public async Task A_waiting_call_can_be_cancelled_and_the_running_one_is_unharmed()
    {
        int[] expected = await Loading.TokensAsync(_model, Prompt("running"), 40);
        var tokens = new List<int>();
        using var cancellation = new CancellationTokenSource();
        Task? waiting = null;
        await foreach (GeneratedToken token in _model.Generate(
            Prompt("running"), new GenerationOptions { MaxTokens = 4000, IgnoreEndTokens = true }))
        {
            tokens.Add(token.Token);
            waiting ??= Loading.TokensAsync(_model, Prompt("waiting"), cancellation: cancellation.Token);
            if (tokens.Count == 20)
            {
                Assert.That(waiting.IsCompleted, Is.False, "it waits for its turn");
                await cancellation.CancelAsync();
                var cancelled = await Assert.CatchAsync<OperationCanceledException>(() => waiting);
                Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));
            }

            if (tokens.Count == 40)
                break;
        }

        Assert.That(tokens, Is.EqualTo(expected));
    }

    [Test]
    public async Task A_call_cancelled_during_prefill_ends_with_the_callers_token_and_the_next_one_is_right()
    {
        ModelPrompt prompt = new([.. Enumerable.Range(0, 3000).Select(i => 33 + (i * 7 % 200))]);
        using var cancellation = new CancellationTokenSource();
        Task<int[]> call = Loading.TokensAsync(_model, prompt, 4, cancellation: cancellation.Token);
        await Task.Delay(5);
        await cancellation.CancelAsync();
        var cancelled = await Assert.CatchAsync<OperationCanceledException>(() => call);
        Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));

        int[] next = await Loading.TokensAsync(_model, prompt, 4);
        Assert.That(next, Is.EqualTo(await FreshAsync(prompt, 4)));
    }

    [Test]
    public async Task A_call_cancelled_while_decoding_ends_with_the_callers_token_and_the_next_one_is_right()
    {
        ModelPrompt prompt = Prompt("a long story");
        using var cancellation = new CancellationTokenSource();
        int seen = 0;
        var cancelled = await Assert.CatchAsync<OperationCanceledException>(async () =>
        {
            await foreach (GeneratedToken _ in _model.Generate(prompt, new GenerationOptions { IgnoreEndTokens = true }, cancellation.Token))
            {
                if (++seen == 5)
                    await cancellation.CancelAsync();
            }
        });
        Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));
        Assert.That(seen, Is.LessThan(4000), "long before the context is full");
        Assert.That(await Loading.TokensAsync(_model, prompt), Is.EqualTo(await FreshAsync(prompt, 12)));
    }

    [Test]
    public async Task The_token_given_to_the_enumeration_cancels_too_and_is_the_one_reported()
    {
        using var cancellation = new CancellationTokenSource();
        var cancelled = await Assert.CatchAsync<OperationCanceledException>(async () =>
        {
            await foreach (GeneratedToken _ in _model.Generate(Prompt("x"), new GenerationOptions { IgnoreEndTokens = true }).WithCancellation(cancellation.Token))
                await cancellation.CancelAsync();
        });
        Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));
    }

    [Test]
    public async Task A_chat_without_a_limit_is_cancelled_with_the_callers_token()
    {
        using var cancellation = new CancellationTokenSource();
        var biases = new Dictionary<int, float> { [TinyModel.EndToken] = -1000 };
        var options = new ChatOptions { RawRepresentationFactory = _ => new PortableRequestOptions { LogitBias = biases } };
        var cancelled = await Assert.CatchAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in new PortableChatClient(_model).GetStreamingResponseAsync("ramble", options, cancellation.Token))
                await cancellation.CancelAsync();
        });
        Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));
    }

    [Test]
    public async Task Leaving_an_enumeration_frees_the_turn()
    {
        int[] expected = await Loading.TokensAsync(_model, Prompt("first"));
        await foreach (GeneratedToken _ in _model.Generate(Prompt("second"), new GenerationOptions { IgnoreEndTokens = true }))
            break;
        Assert.That(await Loading.TokensAsync(_model, Prompt("first")).WaitAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(expected));
    }

    [Test]
    public async Task An_exception_in_the_consumer_frees_the_turn_and_is_the_one_seen()
    {
        await Assert.ThrowsAsync<NotFiniteNumberException>(async () =>
        {
            await foreach (GeneratedToken _ in _model.Generate(Prompt("second"), new GenerationOptions { IgnoreEndTokens = true }))
                throw new NotFiniteNumberException();
        });
        Assert.That(await Loading.TokensAsync(_model, Prompt("first")).WaitAsync(TimeSpan.FromSeconds(20)), Has.Length.EqualTo(12));
    }

    [Test]
    public async Task An_output_can_be_enumerated_once()
    {
        Generation generation = _model.Generate(Prompt("once"), new GenerationOptions { MaxTokens = 1 });
        await foreach (GeneratedToken _ in generation)
        {
        }
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await generation.GetAsyncEnumerator().MoveNextAsync());
    }

    private async Task<int[]> FreshAsync(ModelPrompt prompt, int count)
    {
        using PortableModel fresh = await Loading.LoadAsync(_tiny.Folder, configure: o => o.ContextTokens = 4096);
        return await Loading.TokensAsync(fresh, prompt, count);
    }
}
