using System.Globalization;
using System.Text.Json;

namespace Portable.Decoding.Templates;

/// <summary>
/// How Mistral's models write conversations, for folders that hold Mistral's own tokenizer and no template. What the versions differ in: v1 has no
/// control tokens for instructions; v2 brings them, and tools; v3 gives calls ids and keeps them all in the prompt; v7 has system messages of their own;
/// v11 writes calls with tokens instead of JSON; v13 leaves ids out, shows tools with the first user message and has thoughts. The blanks that
/// SentencePiece puts before a piece of text are the tokenizer's, so the texts are the same for both kinds of tokenizer.
/// </summary>
internal static class MistralTemplate
{
    private const string Instructions = "[INST],[/INST],[TOOL_CALLS],[AVAILABLE_TOOLS],[/AVAILABLE_TOOLS],[TOOL_RESULTS],[/TOOL_RESULTS]";
    private const string System = Instructions + ",[SYSTEM_PROMPT],[/SYSTEM_PROMPT]";

    private static readonly Dictionary<int, string> s_tokens = new()
    {
        [1] = "<s>,</s>",
        [2] = "<s>,</s>," + Instructions,
        [3] = "<s>,</s>," + Instructions,
        [7] = "<s>,</s>," + System + ",[TOOL_CONTENT]",
        [11] = "<s>,</s>," + System + ",[TOOL_CONTENT],[CALL_ID],[ARGS]",
        [13] = "<s>,</s>," + System + ",[ARGS]",
    };

    // Its marks are ordinary text, so the blanks around them count; one before an answer is what SentencePiece puts before a piece of text.
    private const string First = """
        {%- set system = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join %}
        {%- set at = namespace(users=0) %}
        {{- '<s>' }}
        {%- for message in messages if message.role != 'system' %}
            {%- if message.role not in ['user', 'assistant'] or message.tool_calls %}
                {{- raise_exception("Mistral's format v1 knows users and assistants, and no tools") }}
            {%- elif message.content is not string %}
                {{- raise_exception("Mistral's format v1 knows text only") }}
            {%- elif message.role == 'user' %}
                {{- '[INST] ' }}
                {%- if at.users == 0 and system %}
                    {{- system + '\n\n' }}
                {%- endif %}
                {{- message.content + ' [/INST]' }}
                {%- set at.users = at.users + 1 %}
            {%- elif at.users == 0 or not message.content %}
                {{- raise_exception('a conversation begins with a user, and assistants say something') }}
            {%- else %}
                {{- ' ' + message.content + '</s>' }}
            {%- endif %}
        {%- endfor %}
        {%- if at.users == 0 %}
            {{- raise_exception('a conversation needs a user') }}
        {%- endif %}
        """;

    private const string Later = """
        {%- set users = messages | selectattr('role', 'equalto', 'user') | list | length %}
        {%- set at = namespace(users=0) %}
        {%- set system = '' %}
        {%- if version < 7 %}
            {%- set system = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join %}
        {%- endif %}
        {%- macro checked(id) %}
            {%- if id is not string or id | length != 9 %}
                {{- raise_exception("the id of a tool call has 9 letters and digits in Mistral's format") }}
            {%- endif %}
            {{- id }}
        {%- endmacro %}
        {%- if users == 0 %}
            {{- raise_exception('a conversation needs a user') }}
        {%- endif %}
        {{- '<s>' }}
        {%- for message in messages %}
            {%- set thoughts = message.reasoning_content if thinks and message.reasoning_content else '' %}
            {%- if message.role == 'user' %}
                {%- set at.users = at.users + 1 %}
                {%- if tools and at.users == (1 if version >= 13 else users) %}
                    {{- '[AVAILABLE_TOOLS]' + tools | tojson + '[/AVAILABLE_TOOLS]' }}
                {%- endif %}
                {{- '[INST]' }}
                {%- if system and at.users == users %}
                    {{- system + '\n\n' }}
                {%- endif %}
                {%- if message.content is string %}
                    {{- message.content }}
                {%- else %}
                    {%- for part in message.content %}
                        {%- if part.type == 'text' %}
                            {{- part.text }}
                        {%- elif part.type in ['image', 'image_url'] and version >= 3 %}
                            {{- '[IMG]' }}
                        {%- else %}
                            {{- raise_exception("users show text and images in Mistral's format, images from v3 on") }}
                        {%- endif %}
                    {%- endfor %}
                {%- endif %}
                {{- '[/INST]' }}
            {%- elif message.role == 'system' %}
                {%- if version >= 7 %}
                    {{- '[SYSTEM_PROMPT]' + message.content + '[/SYSTEM_PROMPT]' }}
                {%- endif %}
            {%- elif at.users == 0 %}
                {{- raise_exception('a conversation begins with a user') }}
            {%- elif message.role == 'assistant' %}
                {%- if message.content is not string %}
                    {{- raise_exception('assistants answer with text') }}
                {%- elif not (message.content or message.tool_calls or thoughts) %}
                    {{- raise_exception('an answer is a text or tool calls') }}
                {%- elif version < 7 and message.content and message.tool_calls %}
                    {{- raise_exception("an answer is either a text or tool calls in Mistral's format before v7") }}
                {%- elif version > 2 or not message.tool_calls or at.users == users %}
                    {%- if thoughts %}
                        {{- '[THINK]' + thoughts + '[/THINK]' }}
                    {%- endif %}
                    {{- message.content.rstrip(' ') }}
                    {%- if message.tool_calls and version < 11 %}
                        {{- '[TOOL_CALLS][' }}
                        {%- for call in message.tool_calls %}
                            {%- if version == 2 %}
                                {{- {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
                            {%- else %}
                                {{- {'name': call.function.name, 'arguments': call.function.arguments, 'id': checked(call.id)} | tojson }}
                            {%- endif %}
                            {{- '' if loop.last else ', ' }}
                        {%- endfor %}
                        {{- ']' }}
                    {%- elif message.tool_calls %}
                        {%- for call in message.tool_calls %}
                            {{- '[TOOL_CALLS]' + call.function.name }}
                            {%- if version < 13 %}
                                {{- '[CALL_ID]' + checked(call.id) }}
                            {%- endif %}
                            {{- '[ARGS]' + call.function.arguments | tojson }}
                        {%- endfor %}
                    {%- endif %}
                    {{- '</s>' }}
                {%- endif %}
            {%- elif message.role == 'tool' %}
                {%- if version == 2 %}
                    {%- if at.users == users %}
                        {{- '[TOOL_RESULTS]' + [{'name': message.name, 'content': message.content}] | tojson + '[/TOOL_RESULTS]' }}
                    {%- endif %}
                {%- elif version == 3 %}
                    {{- '[TOOL_RESULTS]' + {'content': message.content, 'call_id': checked(message.tool_call_id)} | tojson + '[/TOOL_RESULTS]' }}
                {%- else %}
                    {{- '[TOOL_RESULTS]' }}
                    {%- if version < 13 %}
                        {{- checked(message.tool_call_id) + '[TOOL_CONTENT]' }}
                    {%- endif %}
                    {{- message.content if message.content is string else message.content | tojson }}
                    {{- '[/TOOL_RESULTS]' }}
                {%- endif %}
            {%- else %}
                {{- raise_exception("Mistral's format knows system, user, assistant and tool") }}
            {%- endif %}
        {%- endfor %}
        """;

    /// <summary>The versions that are known.</summary>
    public static IEnumerable<int> Versions => s_tokens.Keys;

    /// <summary>The control tokens without which a vocabulary is not of the version.</summary>
    public static IReadOnlyList<string> Tokens(int version) => s_tokens[version].Split(',');

    /// <summary>The template of a version.</summary>
    /// <param name="version">One of <see cref="Versions"/>.</param>
    /// <param name="thinks">Whether the vocabulary has tokens around thoughts, [THINK] and [/THINK].</param>
    public static ChatTemplate Create(int version, bool thinks)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"Mistral's format v{version}");
        string source = version == 1 ? First : string.Create(
            CultureInfo.InvariantCulture, $"{{%- set version = {version} %}}{{%- set thinks = {(thinks && version >= 13 ? "true" : "false")} %}}{Later}");
        return ChatTemplate.Parse(source, name, messages => Normalize(messages, version));
    }

    /// <summary>
    /// Brings messages into the form that the templates expect: texts as one string, arguments and (before v7) tool results as the values that their
    /// JSON stands for, a result with the name of its call, neighbours of one role as one message, and before v7 the system messages as one.
    /// </summary>
    private static TemplateValue Normalize(TemplateValue messages, int version)
    {
        var normal = new List<PyDict>();
        var system = new List<string>();
        var names = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (TemplateValue message in messages.Items)
        {
            if (message.Raw is not PyDict members)
                throw new TemplateException(TemplateErrorKind.Type, "a message is no object", "Mistral's format", 0);
            PyDict one = members.Copy();
            string role = one.TryGet("role", out object? value) && value is string text ? text : "";
            one.TryGet("content", out object? content);
            content = Content(content);
            if (role == "system")
            {
                if (content is not string words)
                    throw new TemplateException(TemplateErrorKind.Type, "a system message holds more than text", "Mistral's format", 0);
                if (version < 7)
                {
                    if (words.Length > 0)
                        system.Add(words);
                    continue;
                }
            }

            if (role == "tool")
            {
                if (version < 7 && content is string json)
                    content = Parsed(json);
                if (one.TryGet("tool_call_id", out object? id) && id is string call && names.TryGetValue(call, out object? name) && !one.Contains("name"))
                    one.Set("name", name);
            }

            one.Set("content", content);
            if (one.TryGet("tool_calls", out object? calls) && calls is PyList list)
                one.Set("tool_calls", new PyList([.. list.Items.Select(c => Call(c, names))]));
            if (role is "user" or "assistant" && normal.Count > 0 && normal[^1].TryGet("role", out object? last) && Equals(last, role))
                Join(normal[^1], one);
            else
                normal.Add(one);
        }

        foreach (PyDict user in normal)
        {
            if (user.TryGet("content", out object? content) && content is PyList parts)
                user.Set("content", ImageFirst(parts));
        }

        if (system.Count > 0)
        {
            var first = new PyDict();
            first.Set("role", "system");
            first.Set("content", string.Join("\n\n", system));
            normal.Insert(0, first);
        }

        return new TemplateValue(new PyList([.. normal]));
    }

    /// <summary>Nothing is an empty text, and parts that are all texts are one.</summary>
    private static object? Content(object? content)
    {
        if (content is null)
            return "";
        return content is PyList parts && parts.Items.All(p => TextOf(p) is not null) ? string.Concat(parts.Items.Select(TextOf)) : content;
    }

    private static string? TextOf(object? part) =>
        part is PyDict members && members.TryGet("type", out object? type) && type is "text" && members.TryGet("text", out object? text) ? text as string : null;

    private static object? Call(object? call, Dictionary<string, object?> names)
    {
        if (call is not PyDict members || !members.TryGet("function", out object? function) || function is not PyDict called)
            return call;
        PyDict copy = members.Copy(), inner = called.Copy();
        if (inner.TryGet("arguments", out object? arguments) && arguments is string json)
            inner.Set("arguments", Parsed(json));
        if (copy.TryGet("id", out object? id) && id is string key && inner.TryGet("name", out object? name))
            names[key] = name;
        copy.Set("function", inner);
        return copy;
    }

    /// <summary>What a text says where it is JSON, else the text; an empty one says nothing, an empty object.</summary>
    private static object? Parsed(string text)
    {
        if (text.Length == 0)
            return new PyDict();
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            return TemplateValue.FromJson(json.RootElement).Raw;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or TemplateException)
        {
            return text;
        }
    }

    private static void Join(PyDict before, PyDict after)
    {
        foreach (string name in (ReadOnlySpan<string>)["content", "reasoning_content", "tool_calls"])
        {
            after.TryGet(name, out object? next);
            before.TryGet(name, out object? first);
            if (first is null or "")
                before.Set(name, next);
            else if (first is string a && next is string b)
                before.Set(name, b.Length == 0 ? a : a + "\n\n" + b);
            else if (next is not (null or ""))
                before.Set(name, Joined(Items(first), Items(next)));
        }

        static PyList Joined(object?[] first, object?[] next) =>
            first.Length > 0 && next.Length > 0 && TextOf(first[^1]) is { } a && TextOf(next[0]) is { } b
                ? new PyList([.. first[..^1], Part(a + "\n\n" + b), .. next[1..]])
                : new PyList([.. first, .. next]);

        static object?[] Items(object? value) => value is PyList list ? list.Items : [Part(value)];

        static PyDict Part(object? text)
        {
            var part = new PyDict();
            part.Set("type", "text");
            part.Set("text", text);
            return part;
        }
    }

    /// <summary>An image behind nothing but text goes before it, as Mistral's models saw it in training.</summary>
    private static PyList ImageFirst(PyList parts) =>
        parts.Items.Length > 1 && TextOf(parts.Items[^1]) is null && parts.Items[..^1].All(p => TextOf(p) is not null)
            ? new PyList([parts.Items[^1], .. parts.Items[..^1]])
            : parts;
}
