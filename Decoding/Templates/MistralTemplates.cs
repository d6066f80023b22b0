namespace Portable.Decoding.Templates;

/// <summary>
/// Templates for models in Mistral's own format, whose folders hold tekken.json and no template: the token sequences of the instruct format's versions,
/// for messages of system, user and assistant. Tools need the model's own template.
/// </summary>
internal static class MistralTemplates
{
    private const string Content = """
        {%- macro text(content) -%}
        {%- if content is string -%}{{ content }}{%- else -%}
        {%- for part in content -%}{%- if part.type == 'image' -%}[IMG]{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}
        {%- endif -%}
        {%- endmacro -%}
        """;

    // The system's text stands before that of the last user message.
    private const string Third = Content + """
        {{- '<s>' -}}
        {%- set ns = namespace(system='', last=-1) -%}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}{%- set ns.system = text(message.content) -%}{%- elif message.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
        {%- endfor -%}
        {%- for message in messages -%}
        {%- if message.role == 'user' -%}
        {{- '[INST]' -}}{%- if ns.system and loop.index0 == ns.last -%}{{- ns.system + '\n\n' -}}{%- endif -%}{{- text(message.content) + '[/INST]' -}}
        {%- elif message.role == 'assistant' -%}
        {{- text(message.content) + '</s>' -}}
        {%- elif message.role != 'system' -%}
        {{- raise_exception("Mistral's format is known here for the roles system, user and assistant, not for " + message.role) -}}
        {%- endif -%}
        {%- endfor -%}
        """;

    // The system's text has tokens of its own.
    private const string Seventh = Content + """
        {{- '<s>' -}}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {{- '[SYSTEM_PROMPT]' + text(message.content) + '[/SYSTEM_PROMPT]' -}}
        {%- elif message.role == 'user' -%}
        {{- '[INST]' + text(message.content) + '[/INST]' -}}
        {%- elif message.role == 'assistant' -%}
        {{- text(message.content) + '</s>' -}}
        {%- else -%}
        {{- raise_exception("Mistral's format is known here for the roles system, user and assistant, not for " + message.role) -}}
        {%- endif -%}
        {%- endfor -%}
        """;

    /// <summary>The template of a version of tekken.json; null for one that is not known, whose models answer plain prompts only.</summary>
    public static ChatTemplate? OfTekken(string? version) => version switch
    {
        "v3" => ChatTemplate.Parse(Third, "Mistral's instruct format, v3"),
        "v7" or "v11" or "v13" => ChatTemplate.Parse(Seventh, $"Mistral's instruct format, {version}"),
        _ => null,
    };
}
