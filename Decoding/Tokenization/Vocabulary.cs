namespace Portable.Decoding.Tokenization;

/// <summary>The tokens of a model by id and by text. Ids may have gaps. Immutable once built; thread-safe.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly int[] _single = new int[char.MaxValue + 1];
    private string?[] _texts;

    public Vocabulary(int capacity)
    {
        _ids = new Dictionary<string, int>(capacity, StringComparer.Ordinal);
        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _texts = new string?[capacity];
        Array.Fill(_single, -1);
    }

    /// <summary>One more than the greatest id.</summary>
    public int Size { get; private set; }

    /// <summary>The length of the longest token in UTF-16.</summary>
    public int LongestToken { get; private set; }

    /// <summary>The text of an id; null where the id is a gap or out of range.</summary>
    public string? this[int id] => (uint)id < (uint)Size ? _texts[id] : null;

    /// <summary>Adds a token; false where the text or the id is taken.</summary>
    public bool TryAdd(string text, int id)
    {
        if ((id < Size && _texts[id] is not null) || !_ids.TryAdd(text, id))
            return false;
        SetText(text, id);
        if (text.Length == 1)
            _single[text[0]] = id;
        return true;
    }

    /// <summary>Adds a token that has a text of its own only for decoding: another id is found by that text.</summary>
    public void AddAlias(string text, int id) => SetText(text, id);

    public bool TryGetId(ReadOnlySpan<char> text, out int id)
    {
        if (text.Length == 1)
            return (id = _single[text[0]]) >= 0;
        return _lookup.TryGetValue(text, out id);
    }

    /// <summary>The 256 ids of the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, -1 for those that are absent.</summary>
    public int[] ByteTokens()
    {
        var ids = new int[256];
        for (int b = 0; b < 256; b++)
            ids[b] = TryGetId($"<0x{b:X2}>", out int id) ? id : -1;
        return ids;
    }

    /// <summary>The byte that a token <c>&lt;0xNN&gt;</c> stands for.</summary>
    public static bool TryParseByteToken(ReadOnlySpan<char> token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x") && token[5] == '>'
            && byte.TryParse(token[3..5], System.Globalization.NumberStyles.AllowHexSpecifier, null, out value);
    }

    private void SetText(string text, int id)
    {
        if (id >= _texts.Length)
            Array.Resize(ref _texts, Math.Max(id + 1, (int)Math.Min(_texts.Length * 2L, Array.MaxLength)));
        _texts[id] = text;
        Size = Math.Max(Size, id + 1);
        LongestToken = Math.Max(LongestToken, text.Length);
    }
}
