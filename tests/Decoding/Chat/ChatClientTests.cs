using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Decoding;
using Portable.Decoding.Tokenization;
using Portable.Tests.Engine;

namespace Portable.Tests.Chat;

/// <summary>The contract of <see cref="IChatClient"/>, on models that say a known text.</summary>
[TestFixture]
public sealed class ChatClientTests
{
    private readonly List<IDisposable> _owned = [];
    private IChatClient _client = null!;
    private PortableModel _model = null!;

    [OneTimeSetUp]
    public async Task Load() => _client = new PortableChatClient(_model = await SayingAsync(TinyModel.Saying("Hi, you-2!")));

    [OneTimeTearDown]
    public void Unload() => _owned.ForEach(o => o.Dispose());

    private async Task<PortableModel> SayingAsync(TinyModel tiny)
    {
        PortableModel model = await Loading.LoadAsync(tiny);
        _owned.Add(model);
        _owned.Add(tiny);
        return model;
    }

    private static async Task<List<ChatResponseUpdate>> StreamAsync(IChatClient client, ChatOptions? options = null)
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("hello", options))
            updates.Add(update);
        return updates;
    }

    [Test]
    public async Task An_answer_ends_with_the_models_end_token_and_carries_usage()
    {
        ChatResponse response = await _client.GetResponseAsync("hello");
        Assert.That(response.Text, Is.EqualTo("Hi, you-2!"));
        Assert.That(response.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(response.ModelId, Is.EqualTo("tiny"));
        int prompt = _model.Tokenizer.Encode("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", false, SpecialTokens.Parse).Length;
        Assert.That(response.Usage!.InputTokenCount, Is.EqualTo(prompt));
        Assert.That(response.Usage.OutputTokenCount, Is.EqualTo(11), "ten characters and the end token");
        Assert.That(response.Usage.TotalTokenCount, Is.EqualTo(prompt + 11));
    }

    [Test]
    public async Task A_limit_ends_the_answer_with_length()
    {
        ChatResponse response = await _client.GetResponseAsync("hello", new ChatOptions { MaxOutputTokens = 4 });
        Assert.That((response.Text, response.FinishReason, response.Usage!.OutputTokenCount), Is.EqualTo(("Hi, ", (ChatFinishReason?)ChatFinishReason.Length, (long?)4)));
    }

    [Test]
    public async Task A_full_context_ends_the_answer_with_length()
    {
        using var tiny = TinyModel.Saying("abcdefghijklm");
        using PortableModel model = await Loading.LoadAsync(tiny, configure: o => o.ContextTokens = 32);
        ChatResponse response = await new PortableChatClient(model).GetResponseAsync("hello");
        Assert.That(response.FinishReason, Is.EqualTo(ChatFinishReason.Length));
        Assert.That(response.Usage!.TotalTokenCount, Is.EqualTo(33), "the last token needs no room in the cache");
        await Assert.ThrowsAsync<PromptTooLongException>(() => new PortableChatClient(model).GetResponseAsync(new string('x', 60)));
    }

    [Test]
    public async Task A_stop_string_over_several_tokens_ends_the_answer_and_is_not_shown()
    {
        ChatResponse response = await _client.GetResponseAsync("hello", new ChatOptions { StopSequences = ["u-2", "never"] });
        Assert.That((response.Text, response.FinishReason), Is.EqualTo(("Hi, yo", (ChatFinishReason?)ChatFinishReason.Stop)));
        Assert.That(response.Usage!.OutputTokenCount, Is.EqualTo(9), "what the engine made beyond the stop string is not counted");
    }

    [Test]
    public async Task Streaming_gives_whole_characters_with_one_message_and_response_and_usage_last()
    {
        List<ChatResponseUpdate> updates = await StreamAsync(_client);
        Assert.That(string.Concat(updates.Select(u => u.Text)), Is.EqualTo("Hi, you-2!"));
        Assert.That(updates.Select(u => u.MessageId).Distinct().Count(), Is.EqualTo(1));
        Assert.That(updates.Select(u => u.ResponseId).Distinct().Count(), Is.EqualTo(1));
        Assert.That(updates.Select(u => u.Role), Is.All.EqualTo(ChatRole.Assistant));
        Assert.That(updates.Take(updates.Count - 1).Select(u => u.FinishReason), Is.All.Null);
        Assert.That(updates[^1].FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(updates[^1].Contents.OfType<UsageContent>().Count(), Is.EqualTo(1));
        Assert.That((await StreamAsync(_client))[0].ResponseId, Is.Not.EqualTo(updates[0].ResponseId));
    }

    [Test]
    public async Task Thinking_is_reasoning_content_and_can_be_left_out()
    {
        PortableModel model = await SayingAsync(TinyModel.Saying(TinyModel.ThinkToken, 'h', 'm', TinyModel.EndThinkToken, 'y', 'e', 's'));
        ChatResponse response = await new PortableChatClient(model).GetResponseAsync("hello");
        Assert.That(response.Text, Is.EqualTo("yes"));
        Assert.That(string.Concat(response.Messages[0].Contents.OfType<TextReasoningContent>().Select(r => r.Text)), Is.EqualTo("hm"));
        Assert.That(response.Usage!.ReasoningTokenCount, Is.EqualTo(3));
        ChatResponse hidden = await new PortableChatClient(model).GetResponseAsync(
            "hello", new ChatOptions { Reasoning = new ReasoningOptions { Output = ReasoningOutput.None } });
        Assert.That(hidden.Text, Is.EqualTo("yes"));
        Assert.That(hidden.Messages[0].Contents.OfType<TextReasoningContent>(), Is.Empty);
        Assert.That(hidden.Usage!.OutputTokenCount, Is.EqualTo(response.Usage.OutputTokenCount));
    }

    [Test]
    public async Task A_template_that_opens_the_thinking_makes_the_answer_begin_inside_it()
    {
        TinyModel tiny = TinyModel.Saying('h', 'm', TinyModel.EndThinkToken, 'y', 'e', 's');
        tiny.Template = TinyModel.ChatML + "<think>{{ '\\n' }}";
        PortableModel model = await SayingAsync(tiny);
        ChatResponse response = await new PortableChatClient(model).GetResponseAsync("hello");
        Assert.That(response.Text, Is.EqualTo("yes"));
        Assert.That(string.Concat(response.Messages[0].Contents.OfType<TextReasoningContent>().Select(r => r.Text)), Is.EqualTo("hm"));
    }

    [Test]
    public async Task Log_probabilities_of_every_token_are_in_the_raw_representations()
    {
        List<ChatResponseUpdate> updates = await StreamAsync(_client, new ChatOptions { AdditionalProperties = new() { ["top_logprobs"] = 2 } });
        GeneratedToken[] tokens = [.. updates.SelectMany(u => u.RawRepresentation as IEnumerable<GeneratedToken> ?? [])];
        Assert.That(tokens.Select(t => t.Token), Is.EqualTo(_model.Tokenizer.Encode("Hi, you-2!", false, SpecialTokens.Parse).Append(TinyModel.EndToken)));
        Assert.That(tokens.Select(t => t.Top.Count), Is.All.EqualTo(2));
        Assert.That(tokens.Select(t => t.Top[0].Token), Is.EqualTo(tokens.Select(t => t.Token)));
    }

    [Test]
    public async Task A_seed_makes_a_sampled_answer_repeatable()
    {
        using var tiny = new TinyModel(seed: 21);
        using PortableModel model = await Loading.LoadAsync(tiny);
        Assert.That(await AskAsync(1), Is.EqualTo(await AskAsync(1)));
        Assert.That(await AskAsync(1), Is.Not.EqualTo(await AskAsync(2)));

        async Task<string> AskAsync(long seed) =>
            (await Loading.AskAsync(model, "hello", new ChatOptions { MaxOutputTokens = 20, Temperature = 3, Seed = seed })).Text;
    }

    private static IEnumerable<TestCaseData> Refusals()
    {
        yield return Case("ResponseFormat", new() { ResponseFormat = ChatResponseFormat.Json });
        yield return Case("ResponseFormat", new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonDocument.Parse("{}").RootElement) }, "with a schema");
        yield return Case("ConversationId", new() { ConversationId = "1" });
        yield return Case("ToolMode", new() { ToolMode = ChatToolMode.RequireAny });
        yield return Case("AllowMultipleToolCalls", new() { AllowMultipleToolCalls = false });
        yield return Case("ModelId", new() { ModelId = "another" });
        yield return Case("Tools", new() { Tools = [new HostedWebSearchTool()] });
        yield return Case("AdditionalProperties[\"top_a\"]", new() { AdditionalProperties = new() { ["top_a"] = 1 } });
        yield return Case("AdditionalProperties[\"messages\"]", new() { AdditionalProperties = new() { ["messages"] = "x" } });
        yield return Case("RawRepresentationFactory", new() { RawRepresentationFactory = _ => "x" });
        yield return Case("Reasoning", new() { Reasoning = new ReasoningOptions { Output = ReasoningOutput.Summary } });
        yield return Case("Reasoning", new() { Reasoning = new ReasoningOptions { Effort = ReasoningEffort.High } }, "with an effort");

        static TestCaseData Case(string option, ChatOptions options, string detail = "") => new TestCaseData(option, options).SetName($"Refused by name: {option} {detail}");
    }

    [TestCaseSource(nameof(Refusals))]
    public async Task An_option_that_is_not_supported_is_refused_by_name(string option, ChatOptions options)
    {
        var error = await Assert.CatchAsync<UnsupportedException>(() => _client.GetResponseAsync("hello", options));
        Assert.That(error!.Feature, Does.Contain(option));
    }

    private static IEnumerable<TestCaseData> Invalid()
    {
        yield return Case("Temperature", new() { Temperature = -1 });
        yield return Case("TopP", new() { TopP = 2 });
        yield return Case("TopK", new() { TopK = -1 });
        yield return Case("MaxTokens", new() { MaxOutputTokens = 0 });
        yield return Case("StopSequences", new() { StopSequences = [""] });
        yield return Case("min_p", new() { AdditionalProperties = new() { ["min_p"] = "0.1" } });
        yield return Case("min_p", new() { AdditionalProperties = new() { ["min_p"] = DateTime.Now } }, "a date");
        yield return Case("top_logprobs", new() { AdditionalProperties = new() { ["top_logprobs"] = 1e30 } });
        yield return Case("logit_bias", new() { AdditionalProperties = new() { ["logit_bias"] = JsonDocument.Parse("{\"x\":1}").RootElement } });
        yield return Case("LogitBias", new() { AdditionalProperties = new() { ["logit_bias"] = new Dictionary<int, float> { [9999] = 1 } } });

        static TestCaseData Case(string option, ChatOptions options, string detail = "") => new TestCaseData(option, options).SetName($"Out of range: {option} {detail}");
    }

    [TestCaseSource(nameof(Invalid))]
    public async Task An_option_out_of_range_is_refused_by_name(string option, ChatOptions options)
    {
        var error = await Assert.CatchAsync<InvalidInputException>(() => _client.GetResponseAsync("hello", options));
        Assert.That(error!.Input, Does.Contain(option));
    }

    [Test]
    public async Task Supported_loosely_typed_options_change_the_answer()
    {
        JsonElement bias = JsonDocument.Parse($"{{\"{(int)'H'}\": -1000, \"0{(int)'H'}\": -1000, \"{(int)'Z'}\": 500}}").RootElement;
        ChatResponse response = await _client.GetResponseAsync(
            "hello", new ChatOptions { MaxOutputTokens = 3, AdditionalProperties = new() { ["logit_bias"] = bias } });
        Assert.That(response.Text, Is.EqualTo("ZZZ"));
        Assert.That((await _client.GetResponseAsync("hello", new ChatOptions { ModelId = "TINY", ResponseFormat = ChatResponseFormat.Text })).Text, Is.EqualTo("Hi, you-2!"));
    }

    private static IEnumerable<TestCaseData> Contents()
    {
        yield return Case("audio", new DataContent(new byte[] { 1 }, "audio/wav"), "audio/wav");
        yield return Case("an address", new UriContent("https://example.org/cat.png", "image/png"), "address");
        yield return Case("an image to a text model", new DataContent(new byte[] { 1 }, "image/png"), "image");
        yield return Case("an error", new ErrorContent("x"), nameof(ErrorContent));

        static TestCaseData Case(string name, AIContent content, string expected) => new TestCaseData(content, expected).SetName($"Content that cannot be shown is refused: {name}");
    }

    [TestCaseSource(nameof(Contents))]
    public async Task Content_that_cannot_be_shown_is_refused(AIContent content, string expected)
    {
        var error = await Assert.CatchAsync<UnsupportedException>(() => _client.GetResponseAsync(new ChatMessage(ChatRole.User, [new TextContent("look"), content])));
        Assert.That(error!.Message, Does.Contain(expected));
    }

    [Test]
    public async Task Tools_are_refused_when_the_template_knows_none()
    {
        TinyModel tiny = TinyModel.Saying("a");
        tiny.Template = "{{ messages[0].content }}\n";
        PortableModel model = await SayingAsync(tiny);
        var options = new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "f")] };
        var error = await Assert.CatchAsync<UnsupportedException>(() => new PortableChatClient(model).GetResponseAsync("hello", options));
        Assert.That(error!.Feature, Does.Contain("Tools"));
    }

    [Test]
    public async Task A_model_without_a_template_is_refused_clearly()
    {
        TinyModel tiny = TinyModel.Saying("a");
        tiny.Template = null;
        PortableModel model = await SayingAsync(tiny);
        var error = await Assert.CatchAsync<UnsupportedException>(() => new PortableChatClient(model).GetResponseAsync("hello"));
        Assert.That(error!.Message, Does.Contain("tiny").And.Contain("chat template").And.Contain("Generate"));
    }

    [Test]
    public async Task A_refusal_or_an_error_of_one_call_leaves_the_next_one_unharmed()
    {
        await Assert.ThrowsAsync<UnsupportedException>(() => _client.GetResponseAsync("hello", new ChatOptions { ConversationId = "1" }));
        await Assert.ThrowsAsync<PromptTooLongException>(() => _client.GetResponseAsync(new string('x', 5000)));
        Assert.That((await _client.GetResponseAsync("hello")).Text, Is.EqualTo("Hi, you-2!"));
    }

    [Test]
    public async Task Messages_and_options_of_the_caller_are_not_changed()
    {
        List<ChatMessage> messages = [new(ChatRole.System, "s"), new(ChatRole.User, [new TextContent("u"), new TextReasoningContent("r")])];
        var options = new ChatOptions
        {
            Instructions = "i", Temperature = 1, Seed = 2, StopSequences = ["q"], AdditionalProperties = new() { ["min_p"] = 0.1 }, MaxOutputTokens = 3,
        };
        string before = Snapshot();
        await _client.GetResponseAsync(messages, options);
        await _client.GetResponseAsync(messages, options);
        Assert.That(Snapshot(), Is.EqualTo(before));

        string Snapshot() => JsonSerializer.Serialize(messages, AIJsonUtilities.DefaultOptions) + JsonSerializer.Serialize(options, AIJsonUtilities.DefaultOptions);
    }

    [Test]
    public void Services_are_found_by_their_types_and_by_no_key()
    {
        Assert.That(_client.GetService<PortableChatClient>(), Is.SameAs(_client));
        Assert.That(_client.GetService<IChatClient>(), Is.SameAs(_client));
        Assert.That(_client.GetService<PortableModel>(), Is.SameAs(_model));
        Assert.That(_client.GetService<Tokenizer>(), Is.SameAs(_model.Tokenizer));
        Assert.That(_client.GetService<ChatClientMetadata>()!.ProviderName, Is.EqualTo("portable"));
        Assert.That(_client.GetService<ChatClientMetadata>()!.DefaultModelId, Is.EqualTo("tiny"));
        Assert.That(_client.GetService<string>(), Is.Null);
        Assert.That(_client.GetService(typeof(IChatClient), "key"), Is.Null);
        Assert.Throws<ArgumentNullException>(() => _client.GetService(null!));
        Assert.ThrowsAsync<ArgumentNullException>(() => _client.GetResponseAsync((IEnumerable<ChatMessage>)null!)).Wait();
    }

    [Test]
    public async Task Disposing_of_a_client_leaves_the_model_alive()
    {
        new PortableChatClient(_model).Dispose();
        Assert.That((await _client.GetResponseAsync("hello")).Text, Is.EqualTo("Hi, you-2!"));
    }
}
