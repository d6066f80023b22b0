using Microsoft.Extensions.AI;
using Portable.Decoding;
using Portable.Testing.Foreign;

namespace Portable.Tests.Engine;

/// <summary>The keys and values of a common beginning are kept; they change the time of an answer, never the answer.</summary>
[TestFixture]
public sealed class PrefixReuseTests
{
    private TinyModel _tiny = null!;

    [OneTimeSetUp]
    public void Create()
    {
        _tiny = new TinyModel(seed: 5);
        _tiny.Write();
    }

    [OneTimeTearDown]
    public void Delete() => _tiny.Dispose();

    private async Task<(int[] Tokens, int Cached)> RunAsync(PortableModel model, ModelPrompt prompt)
    {
        Generation generation = model.Generate(prompt, new GenerationOptions { MaxTokens = 8, IgnoreEndTokens = true });
        var tokens = new List<int>();
        await foreach (GeneratedToken token in generation)
            tokens.Add(token.Token);
        return ([.. tokens], generation.CachedTokens);
    }

    private async Task<int[]> FreshAsync(ModelPrompt prompt)
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder);
        return (await RunAsync(model, prompt)).Tokens;
    }

    private static ModelPrompt Numbers(int count, params (int Index, int Token)[] changes)
    {
        int[] tokens = [.. Enumerable.Range(0, count).Select(i => 40 + (i * 13 % 150))];
        foreach ((int index, int token) in changes)
            tokens[index] = token;
        return new ModelPrompt(tokens);
    }

    [Test]
    public async Task The_second_turn_of_a_chat_reuses_the_first_and_answers_as_a_fresh_model_would()
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder), fresh = await Loading.LoadAsync(_tiny.Folder);
        var options = new ChatOptions { MaxOutputTokens = 10 };
        List<ChatMessage> messages = [new(ChatRole.User, "What is the capital of France?")];
        ChatResponse first = await new PortableChatClient(model).GetResponseAsync(messages, options);
        Assert.That(first.Usage!.CachedInputTokenCount, Is.Zero);
        messages.AddRange([new(ChatRole.Assistant, "Paris."), new(ChatRole.User, "And of Spain?")]);
        ChatResponse second = await new PortableChatClient(model).GetResponseAsync(messages, options);
        ChatResponse alone = await new PortableChatClient(fresh).GetResponseAsync(messages, options);
        Assert.That(second.Usage!.CachedInputTokenCount, Is.GreaterThanOrEqualTo(first.Usage.InputTokenCount! - 1));
        Assert.That(second.Text, Is.EqualTo(alone.Text));
    }

    [Test]
    public async Task The_reuse_ends_where_the_prompts_differ_and_leaves_one_token_to_run()
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder);
        await RunAsync(model, Numbers(60));
        (int[] same, int all) = await RunAsync(model, Numbers(60));
        Assert.That(all, Is.EqualTo(59));
        Assert.That(same, Is.EqualTo(await FreshAsync(Numbers(60))));
        ModelPrompt edited = Numbers(60, (23, 250));
        (int[] tokens, int cached) = await RunAsync(model, edited);
        Assert.That(cached, Is.EqualTo(23));
        Assert.That(tokens, Is.EqualTo(await FreshAsync(edited)));
        (_, int shorter) = await RunAsync(model, Numbers(10));
        Assert.That(shorter, Is.EqualTo(9));
        (_, int first) = await RunAsync(model, Numbers(60, (0, 250)));
        Assert.That(first, Is.Zero);
    }

    [Test]
    public async Task The_output_is_reused_when_the_next_prompt_holds_it()
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder);
        ModelPrompt prompt = Numbers(30);
        (int[] output, _) = await RunAsync(model, prompt);
        var next = new ModelPrompt([.. prompt.Tokens, .. output, 65, 66]);
        (int[] tokens, int cached) = await RunAsync(model, next);
        Assert.That(cached, Is.EqualTo(30 + output.Length - 1), "the last token chosen was never run");
        Assert.That(tokens, Is.EqualTo(await FreshAsync(next)));
    }

    [Test]
    public async Task After_a_cancelled_call_what_was_finished_is_reused_and_the_answer_is_right()
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder);
        ModelPrompt prompt = Numbers(40);
        await foreach (GeneratedToken _ in model.Generate(prompt, new GenerationOptions { IgnoreEndTokens = true }))
            break;
        (int[] tokens, int cached) = await RunAsync(model, prompt);
        Assert.That(cached, Is.EqualTo(39));
        Assert.That(tokens, Is.EqualTo(await FreshAsync(prompt)));
    }

    [TestCase(ForeignCall.Upload)]
    [TestCase(ForeignCall.Enqueue)]
    [TestCase(ForeignCall.Synchronize)]
    [TestCase(ForeignCall.Execute)]
    [TestCase(ForeignCall.Download)]
    public async Task After_a_failed_call_nothing_is_reused_and_the_answer_is_right(ForeignCall call)
    {
        var backend = new ForeignBackend();
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder, backend);
        ModelPrompt prompt = Numbers(20);
        (int[] expected, _) = await RunAsync(model, prompt);
        backend.Faults.FailNext(call);
        await Assert.ThrowsAsync<DeviceException>(() => RunAsync(model, Numbers(20, (10, 250))));
        (int[] tokens, int cached) = await RunAsync(model, prompt);
        Assert.That(cached, Is.Zero);
        Assert.That(tokens, Is.EqualTo(expected));
    }
}
