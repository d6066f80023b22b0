using System.Text;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding.Chat;

/// <summary>
/// Turns tokens into text as it may be shown: whole characters only, stop strings cut, thinking separated from the
/// answer. Text that might still become part of a stop string or of a thinking tag is held back. Not thread-safe.
/// </summary>
internal sealed class OutputText
{
    private const string OpenTag = "<think>";
    private const string CloseTag = "</think>";

    private readonly TokenStream _stream;
    private readonly IReadOnlyList<string> _stops;
    private readonly StringBuilder _pending = new();
    private Part _part;
    private bool _trimStart;

    /// <summary>Starts an output.</summary>
    /// <param name="stream">The detokeniser.</param>
    /// <param name="stops">Strings that end the output and are not shown.</param>
    /// <param name="startsThinking">Whether the prompt has already opened the thinking.</param>
    public OutputText(TokenStream stream, IReadOnlyList<string> stops, bool startsThinking)
    {
        _stream = stream;
        _stops = stops;
        _part = startsThinking ? Part.Thinking : Part.Start;
        _trimStart = startsThinking;
    }

    private enum Part
    {
        Start,
        Thinking,
        Answer,
    }

    /// <summary>Whether a stop string was found: the output has ended.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Whether the text so far has not left the thinking.</summary>
    public bool IsThinking => _part == Part.Thinking;

    /// <summary>Adds a token; what can be shown goes to the receiver, (is thinking, text).</summary>
    public void Append(int token, Action<bool, string> receiver)
    {
        if (IsStopped)
            return;
        _stream.Append(token, _pending);
        Drain(receiver, isEnd: false);
    }

    /// <summary>Ends the output and shows what was held back.</summary>
    public void Flush(Action<bool, string> receiver)
    {
        if (IsStopped)
            return;
        _stream.Flush(_pending);
        Drain(receiver, isEnd: true);
    }

    private void Drain(Action<bool, string> receiver, bool isEnd)
    {
        if (_pending.Length == 0)
            return;
        string text = _pending.ToString();
        _pending.Clear();
        int stop = FindStop(text);
        if (stop >= 0)
        {
            text = text[..stop];
            IsStopped = true;
            isEnd = true;
        }

        while (text.Length > 0)
        {
            int before = text.Length;
            Part part = _part;
            text = Advance(text, receiver, isEnd);
            if (text.Length == before && part == _part)
                break;
        }

        _pending.Append(text);
    }

    /// <summary>Shows as much as is certain of the current part; returns the rest.</summary>
    private string Advance(string text, Action<bool, string> receiver, bool isEnd)
    {
        if (_part == Part.Start)
        {
            string trimmed = text.TrimStart();
            if (trimmed.StartsWith(OpenTag, StringComparison.Ordinal))
            {
                _part = Part.Thinking;
                _trimStart = true;
                return trimmed[OpenTag.Length..];
            }

            if (!isEnd && OpenTag.StartsWith(trimmed, StringComparison.Ordinal))
                return text;
            _part = Part.Answer;
        }

        if (_trimStart)
        {
            text = text.TrimStart('\n', '\r', ' ');
            if (text.Length == 0)
                return text;
            _trimStart = false;
        }

        if (_part == Part.Thinking)
        {
            int close = text.IndexOf(CloseTag, StringComparison.Ordinal);
            if (close >= 0)
            {
                Show(receiver, true, text[..close].TrimEnd('\n'));
                _part = Part.Answer;
                _trimStart = true;
                return text[(close + CloseTag.Length)..];
            }
        }

        int certain = isEnd ? text.Length : text.Length - HeldBack(text);
        Show(receiver, _part == Part.Thinking, text[..certain]);
        return text[certain..];
    }

    private static void Show(Action<bool, string> receiver, bool isThinking, string text)
    {
        if (text.Length > 0)
            receiver(isThinking, text);
    }

    private int FindStop(string text)
    {
        int first = -1;
        foreach (string stop in _stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
                first = at;
        }

        return first;
    }

    /// <summary>The longest end of the text that may be the beginning of a stop string or of the closing tag.</summary>
    private int HeldBack(string text)
    {
        int held = 0;
        foreach (string stop in _stops)
            held = Math.Max(held, Overlap(text, stop));
        if (_part == Part.Thinking)
        {
            // Newlines before the closing tag belong to it.
            int tag = Overlap(text, CloseTag);
            while (tag < text.Length && text[text.Length - tag - 1] == '\n')
                tag++;
            held = Math.Max(held, tag);
        }

        return held;
    }

    private static int Overlap(string text, string marker)
    {
        for (int length = Math.Min(text.Length, marker.Length - 1); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(marker.AsSpan(0, length)))
                return length;
        }

        return 0;
    }
}
