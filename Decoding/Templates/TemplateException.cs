namespace Portable.Decoding.Templates;

/// <summary>What kind of mistake a template, or the values given to it, made.</summary>
public enum TemplateErrorKind
{
    /// <summary>The text is not a template: found when it is parsed. Unknown tags, filters and tests belong here.</summary>
    Syntax,

    /// <summary>Something that does not exist was used: a missing variable called, added to, or read from.</summary>
    Undefined,

    /// <summary>A rule of the template language was broken while rendering.</summary>
    Runtime,

    /// <summary>The template reached for something that the sandbox keeps from it.</summary>
    Security,

    /// <summary>A limit of <see cref="TemplateOptions"/>, or of the source's own nesting, was reached.</summary>
    Limit,

    /// <summary>An operation met a value of a wrong type or range.</summary>
    Type,

    /// <summary>The template itself refused its input by <c>raise_exception</c>.</summary>
    Raised,
}

/// <summary>A chat template cannot be parsed, or failed while rendering. There is never partial output.</summary>
public sealed class TemplateException : PortableException
{
    /// <summary>Creates the error.</summary>
    /// <param name="kind">The kind of mistake.</param>
    /// <param name="problem">What was wrong; for <see cref="TemplateErrorKind.Raised"/> exactly the template's own words.</param>
    /// <param name="template">The name under which the template was parsed.</param>
    /// <param name="line">The line of the template, from 1; 0 where there is none.</param>
    public TemplateException(TemplateErrorKind kind, string problem, string template, int line)
        : base(kind == TemplateErrorKind.Raised ? problem : $"{template}, line {line}: {problem}")
    {
        Kind = kind;
        Problem = problem;
        Template = template;
        Line = line;
    }

    /// <summary>The kind of mistake.</summary>
    public TemplateErrorKind Kind { get; }

    /// <summary>What was wrong, without the place.</summary>
    public string Problem { get; }

    /// <summary>The name under which the template was parsed.</summary>
    public string Template { get; }

    /// <summary>The line of the template, from 1; 0 where there is none.</summary>
    public int Line { get; }
}
