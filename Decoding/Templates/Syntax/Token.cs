namespace Portable.Decoding.Templates;

internal enum TokenKind
{
    /// <summary>Text outside tags, as it is written to the output.</summary>
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>One token: its text, and the value of a literal.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, object? Value, int Line)
{
    public bool Is(string op) => Kind == TokenKind.Operator && Text == op;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public string Describe() => Kind switch
    {
        TokenKind.VariableEnd => "the end of the print statement",
        TokenKind.BlockEnd => "the end of the tag",
        TokenKind.End => "the end of the template",
        TokenKind.Integer or TokenKind.Float => "a number",
        TokenKind.String => "a string",
        _ => $"'{Text}'",
    };
}
