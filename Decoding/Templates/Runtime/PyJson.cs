using System.Globalization;
using System.Numerics;
using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>JSON as Python's <c>json.dumps</c> writes it.</summary>
internal sealed class PyJson(RenderContext context, bool ensureAscii, string? indent, string itemSeparator, string keySeparator, bool sortKeys)
{
    private readonly StringBuilder _output = new();

    public string Write(object? value)
    {
        Append(value, 0);
        context.AllocateText(_output.Length);
        return _output.ToString();
    }

    private void Append(object? value, int level)
    {
        context.Step();
        if (_output.Length > context.Options.MaxMemory / 4)
            throw context.Error(TemplateErrorKind.Limit, "the JSON text is too long");
        switch (value)
        {
            case null:
                _output.Append("null");
                break;
            case bool truth:
                _output.Append(truth ? "true" : "false");
                break;
            case long or BigInteger:
                _output.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                _output.Append(Number(number));
                break;
            case string text:
                AppendText(text);
                break;
            case Markup marked:
                AppendText(marked.Text);
                break;
            case PySequence sequence:
                AppendSequence(sequence, level);
                break;
            case PyDict dictionary:
                AppendObject(dictionary, level);
                break;
            default:
                throw context.TypeError($"{PyText.TypeName(value)} has no JSON form");
        }
    }

    private void AppendSequence(PySequence sequence, int level)
    {
        if (sequence.Items.Length == 0)
        {
            _output.Append("[]");
            return;
        }

        context.Enter(3);
        _output.Append('[');
        for (int i = 0; i < sequence.Items.Length; i++)
        {
            if (i > 0)
                _output.Append(itemSeparator);
            BreakLine(level + 1);
            Append(sequence.Items[i], level + 1);
        }

        BreakLine(level);
        _output.Append(']');
        context.Leave(3);
    }

    private void AppendObject(PyDict dictionary, int level)
    {
        if (dictionary.Count == 0)
        {
            _output.Append("{}");
            return;
        }

        context.Enter(3);
        _output.Append('{');
        bool first = true;
        foreach (object? key in sortKeys ? PyOrder.Sort(context, [.. dictionary.Keys]) : dictionary.Keys)
        {
            if (!first)
                _output.Append(itemSeparator);
            first = false;
            BreakLine(level + 1);
            AppendText(Key(key));
            _output.Append(keySeparator);
            Append(dictionary.TryGet(key, out object? member) ? member : null, level + 1);
        }

        BreakLine(level);
        _output.Append('}');
        context.Leave(3);
    }

    private void BreakLine(int level)
    {
        if (indent is null)
            return;
        context.Step((long)indent.Length * level >> 8);
        if (_output.Length + (long)indent.Length * level > context.Options.MaxMemory / 4)
            throw context.Error(TemplateErrorKind.Limit, "the JSON text is too long");
        _output.Append('\n');
        for (int i = 0; i < level; i++)
            _output.Append(indent);
    }

    private string Key(object? key) => key switch
    {
        string text => text,
        Markup marked => marked.Text,
        null => "null",
        bool truth => truth ? "true" : "false",
        double number => Number(number),
        long or BigInteger => string.Create(CultureInfo.InvariantCulture, $"{key}"),
        _ => throw context.TypeError($"{PyText.TypeName(key)} cannot be a key in JSON"),
    };

    private static string Number(double number) =>
        double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : PyText.Float(number);

    private void AppendText(string text)
    {
        context.Step(text.Length >> 7);
        _output.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"':
                    _output.Append("\\\"");
                    break;
                case '\\':
                    _output.Append("\\\\");
                    break;
                case '\n':
                    _output.Append("\\n");
                    break;
                case '\r':
                    _output.Append("\\r");
                    break;
                case '\t':
                    _output.Append("\\t");
                    break;
                case '\b':
                    _output.Append("\\b");
                    break;
                case '\f':
                    _output.Append("\\f");
                    break;
                default:
                    if (c < ' ' || (ensureAscii && c > '~'))
                        _output.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else
                        _output.Append(c);
                    break;
            }
        }

        _output.Append('"');
    }
}
