using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Portable.Decoding.Templates;

namespace Portable.Decoding.Chat;

/// <summary>
/// Renders a conversation with the request's chat template and tokenises it: user text is guarded so that special tokens
/// in it stay text, and each image's placeholder becomes the image's tokens.
/// </summary>
internal sealed class ChatPromptBuilder(PortableModel model)
{
    private const char FirstGuard = '\uFDD0';
    private const char LastGuard = '\uFDEF';
    private static readonly string[] s_roles = ["system", "developer", "user", "assistant", "tool"];

    /// <summary>A rendered conversation.</summary>
    /// <param name="Prompt">Its tokens and images.</param>
    /// <param name="Text">The rendered text, image placeholders not expanded, guards removed.</param>
    public sealed record Result(ModelPrompt Prompt, string Text);

    /// <summary>Builds the prompt; images are decoded on the calling thread.</summary>
    public Result Build(IReadOnlyList<ChatMessage> messages, string? instructions, ChatRequestOptions options, CancellationToken cancellation)
    {
        ChatTemplate template = options.Template;
        char guard = ChooseGuard(messages, instructions);
        var images = new List<PreparedImage>();
        var rendered = new List<TemplateValue>();
        if (!string.IsNullOrEmpty(instructions))
            rendered.Add(TemplateValue.Object(("role", "system"), ("content", Guarded(instructions))));
        foreach (ChatMessage message in messages)
            AddMessage(message);
        if (rendered.Count == 0)
            throw new InvalidInputException("messages", "there are none");

        var variables = new Dictionary<string, TemplateValue>
        {
            ["messages"] = TemplateValue.List(rendered),
            ["add_generation_prompt"] = true,
        };
        foreach ((string name, string token) in model.SpecialTokens)
            variables[name] = token;
        foreach ((string name, TemplateValue value) in options.TemplateArguments)
            variables[name] = value;
        if (options.Tools.Count > 0)
            variables["tools"] = TemplateValue.List(options.Tools.Select(tool => ToolValue(tool, Guarded)));
        string text = template.Render(variables);
        int[] tokens = model.Tokenizer.EncodePrompt(images.Count == 0 ? text : WithImages(text, images), guard);
        return new Result(Expand(tokens, images), text.Replace(guard.ToString(), "", StringComparison.Ordinal));

        string Guarded(string text) => model.Tokenizer.Guard(text, guard);

        // Templates compare the roles that they know, and may write them inside a special token.
        string RoleText(ChatRole role) => s_roles.Contains(role.Value) ? role.Value : Guarded(role.Value);

        void AddMessage(ChatMessage message)
        {
            // A message of several tool results is several messages to a template.
            foreach (FunctionResultContent result in message.Contents.OfType<FunctionResultContent>())
            {
                rendered.Add(TemplateValue.Object(
                    ("role", "tool"), ("tool_call_id", Guarded(result.CallId)), ("content", Guarded(ResultText(result)))));
            }

            var parts = new List<TemplateValue>();
            var toolCalls = new List<TemplateValue>();
            string reasoning = "";
            bool hasImages = false;
            foreach (AIContent content in message.Contents)
            {
                switch (content)
                {
                    case TextReasoningContent thought:
                        reasoning += thought.Text;
                        break;
                    case TextContent part:
                        parts.Add(TemplateValue.Object(("type", "text"), ("text", Guarded(part.Text))));
                        break;
                    case DataContent data when data.HasTopLevelMediaType("image"):
                        if (model.Images is not { } encoder)
                            throw new UnsupportedException("An image in the conversation", $"{model.ModelId} has no vision part, or the vision package was not added");
                        images.Add(encoder.Prepare(data.Data, $"image {images.Count + 1}", cancellation));
                        parts.Add(TemplateValue.Object(("type", "image")));
                        hasImages = true;
                        break;
                    case VideoContent video:
                        if (model.Images is not { } videos)
                            throw new UnsupportedException("A video in the conversation", $"{model.ModelId} has no vision part, or the vision package was not added");
                        images.Add(videos.PrepareVideo(video, $"video {images.Count(i => i.Token is not null) + 1}", cancellation));
                        parts.Add(TemplateValue.Object(("type", "video")));
                        hasImages = true;
                        break;
                    case DataContent data:
                        throw new UnsupportedException($"Content of type {data.MediaType}", "images can be shown to the model, other data cannot");
                    case UriContent uri:
                        throw new UnsupportedException($"Content by address ({uri.MediaType})", "addresses are not fetched; send the bytes as DataContent");
                    case FunctionCallContent call:
                        toolCalls.Add(ToolCall(call, Guarded));
                        break;
                    case FunctionResultContent or UsageContent:
                        break;
                    default:
                        throw new UnsupportedException($"Content of type {content.GetType().Name}", "text, images, reasoning, tool calls and tool results can be shown to the model");
                }
            }

            if (parts.Count == 0 && toolCalls.Count == 0 && reasoning.Length == 0 && message.Contents.OfType<FunctionResultContent>().Any())
                return;
            // Plain strings are what most templates take; parts are needed to say where images stand, and by templates that know nothing else.
            TemplateValue body = hasImages || !model.TakesText(template)
                ? TemplateValue.List(parts)
                : Guarded(string.Concat(message.Contents.OfType<TextContent>().Select(t => t.Text)));
            var members = new List<(string, TemplateValue)> { ("role", RoleText(message.Role)), ("content", body) };
            if (reasoning.Length > 0)
            {
                members.Insert(0, ("thinking", Guarded(reasoning)));
                members.Add(("reasoning_content", Guarded(reasoning)));
            }

            if (toolCalls.Count > 0)
                members.Add(("tool_calls", TemplateValue.List(toolCalls)));
            rendered.Add(TemplateValue.Object(members));
        }
    }

    /// <summary>The rendered text with what stands for each image in place of its placeholder; one that a user wrote is guarded, and so another text.</summary>
    private string WithImages(string text, List<PreparedImage> images)
    {
        IImageEncoder encoder = model.Images!;
        string[] placeholders = [.. images.Select(i => model.Tokenizer.TokenText(i.Token ?? encoder.TemplateToken)!)];
        int written = placeholders.Distinct().Sum(p => text.Split(p).Length - 1);
        if (written != images.Count)
            throw new InvalidInputException("messages", $"the chat template wrote {written} image placeholders for {images.Count} images");
        var whole = new StringBuilder();
        int from = 0;
        for (int i = 0; i < images.Count; i++)
        {
            int at = text.IndexOf(placeholders[i], from, StringComparison.Ordinal);
            if (at < 0)
                throw new InvalidInputException("messages", "the chat template wrote images and videos in another order than the messages hold them");
            string run = model.Tokenizer.TokenText(images[i].Token ?? encoder.PlaceholderToken)!;
            whole.Append(text, from, at - from).Append(images[i].Text.Replace(PreparedImage.Run, run, StringComparison.Ordinal));
            from = at + placeholders[i].Length;
        }

        return whole.Append(text, from, text.Length - from).ToString();
    }

    private ModelPrompt Expand(int[] tokens, List<PreparedImage> images)
    {
        if (images.Count == 0)
            return new ModelPrompt(tokens);
        int image = model.Images!.PlaceholderToken;
        (int Image, int First, TokenGrid Grid)[] runs =
            [.. images.SelectMany((one, i) => one.Runs.Select((grid, r) => (i, one.Runs.Take(r).Sum(before => before.Count), grid)))];
        HashSet<int> placeholders = [image, .. images.Select(i => i.Token ?? image)];
        int found = tokens.Count(placeholders.Contains);
        if (found != runs.Length)
            throw new InvalidInputException("messages", $"the prompt holds {found} runs of image tokens, and its images {runs.Length}");
        var expanded = new List<int>();
        var spans = new List<MediaSpan>();
        foreach (int token in tokens)
        {
            if (!placeholders.Contains(token))
            {
                expanded.Add(token);
                continue;
            }

            (int index, int first, TokenGrid grid) = runs[spans.Count];
            spans.Add(new MediaSpan(expanded.Count, grid.Count, grid, images[index].ContentHash) { Image = index, FirstRow = first });
            expanded.AddRange(Enumerable.Repeat(token, grid.Count));
        }

        return new ModelPrompt(expanded, spans, images);
    }

    /// <summary>A noncharacter that occurs in no message, so that removing it afterwards takes nothing from the text.</summary>
    private static char ChooseGuard(IReadOnlyList<ChatMessage> messages, string? instructions)
    {
        for (char guard = FirstGuard; guard <= LastGuard; guard++)
        {
            bool isUsed = instructions?.Contains(guard, StringComparison.Ordinal) == true || messages.Any(m => m.Contents.Any(c => c switch
            {
                TextContent text => text.Text.Contains(guard, StringComparison.Ordinal),
                TextReasoningContent thought => thought.Text.Contains(guard, StringComparison.Ordinal),
                FunctionResultContent result => ResultText(result).Contains(guard, StringComparison.Ordinal),
                _ => false,
            }));
            if (!isUsed)
                return guard;
        }

        throw new InvalidInputException("messages", "they contain every Unicode noncharacter from U+FDD0 to U+FDEF");
    }

    private static TemplateValue ToolValue(AIFunctionDeclaration tool, Func<string, string> guarded) => TemplateValue.Object(
        ("type", "function"),
        ("function", TemplateValue.Object(
            ("name", guarded(tool.Name)), ("description", guarded(tool.Description)), ("parameters", Json(tool.JsonSchema, guarded)))));

    private static TemplateValue ToolCall(FunctionCallContent call, Func<string, string> guarded)
    {
        IEnumerable<(string, TemplateValue)> arguments = (call.Arguments ?? new Dictionary<string, object?>()).Select(a => (a.Key, a.Value switch
        {
            null => TemplateValue.None,
            string text => guarded(text),
            bool flag => flag,
            int number => number,
            long number => number,
            double number => number,
            object other => Json(ToJson(other), guarded),
        }));
        return TemplateValue.Object(
            ("id", guarded(call.CallId)),
            ("type", "function"),
            ("function", TemplateValue.Object(("name", guarded(call.Name)), ("arguments", TemplateValue.Object(arguments)))));
    }

    /// <summary>A JSON value with every string in it guarded.</summary>
    private static TemplateValue Json(JsonElement json, Func<string, string> guarded)
    {
        // Refuses what is nested too deeply for the walk below.
        TemplateValue.FromJson(json);
        return Walk(json);

        TemplateValue Walk(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => guarded(value.GetString()!),
            JsonValueKind.Array => TemplateValue.List(value.EnumerateArray().Select(Walk)),
            JsonValueKind.Object => TemplateValue.Object(value.EnumerateObject().Select(p => (guarded(p.Name), Walk(p.Value)))),
            _ => TemplateValue.FromJson(value),
        };
    }

    private static string ResultText(FunctionResultContent result) => result.Result switch
    {
        null => "",
        string text => text,
        object other => ToJson(other) is var json && json.ValueKind == JsonValueKind.String ? json.GetString()! : Compact(json),
    };

    /// <summary>JSON without indentation or needless escapes: both would only cost tokens.</summary>
    private static string Compact(JsonElement json)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            json.WriteTo(writer);
        return Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    private static JsonElement ToJson(object value)
    {
        if (value is JsonElement ready)
            return ready;
        try
        {
            return JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
        }
        catch (Exception error) when (error is NotSupportedException or JsonException)
        {
            throw new InvalidInputException("messages", $"a value of type {value.GetType().Name} in a tool call or its result cannot be written as JSON", error);
        }
    }
}
