namespace Portable.Cli;

/// <summary>
/// Writes one answer as it comes: to a pipe as it is, to a terminal without control characters that could drive it,
/// and there with the reasoning dimmed. Where nothing can be dimmed, reasoning is left out.
/// </summary>
internal sealed class AnswerText(CliConsole console)
{
    private const string Dim = "\u001b[2m";
    private const string Plain = "\u001b[0m";

    private bool _isDimmed;
    private bool _isAtLineStart = true;

    public void Write(string text)
    {
        LeaveReasoning();
        WriteOut(text);
    }

    public void WriteReasoning(string text)
    {
        if (!console.IsOutputTerminal || !console.HasStyles)
            return;
        if (!_isDimmed)
            console.Output.Write(Dim);
        _isDimmed = true;
        WriteOut(text);
    }

    /// <summary>Ends the answer with a line end.</summary>
    public void End()
    {
        LeaveReasoning();
        if (!_isAtLineStart)
            console.Output.WriteLine();
        console.Output.Flush();
    }

    private void LeaveReasoning()
    {
        if (!_isDimmed)
            return;
        _isDimmed = false;
        console.Output.Write(Plain);
        if (!_isAtLineStart)
            console.Output.WriteLine();
        _isAtLineStart = true;
    }

    private void WriteOut(string text)
    {
        if (text.Length == 0)
            return;
        if (console.IsOutputTerminal && text.AsSpan().ContainsAnyInRange('\0', '\u009f'))
            text = string.Create(text.Length, text, static (span, source) =>
            {
                for (int i = 0; i < span.Length; i++)
                    span[i] = char.IsControl(source[i]) && source[i] is not ('\n' or '\t') ? '\uFFFD' : source[i];
            });
        console.Output.Write(text);
        console.Output.Flush();
        _isAtLineStart = text[^1] == '\n';
    }
}
