using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Turns text into the ids of a model's vocabulary and back, as Hugging Face's tokenizers library does with the same
/// <c>tokenizer.json</c>, or from the vocabulary of a GGUF file. Immutable; any number of threads may use it at once.
/// </summary>
public sealed partial class Tokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly string?[] _texts;
    private readonly string?[] _decodedTexts;
    private readonly bool[] _isSpecial;
    private readonly Dictionary<string, int> _addedIds = new(StringComparer.Ordinal);
    private readonly Normalizer? _normalizer;
    private readonly PieceStage _firstStage;
    private readonly IReadOnlyList<DecoderStageFactory> _decoders;
    private readonly AddedToken[] _addedTokens;
    private readonly AddedTokenMatcher? _rawMatcher;
    private readonly AddedTokenMatcher? _normalizedMatcher;
    private readonly int[] _template;
    private readonly bool _byteLevel;
    private readonly bool _byteFallback;

    /// <summary>What it was built of.</summary>
    internal TokenizerParts Parts { get; }

    internal Tokenizer(TokenizerParts parts)
    {
        Parts = parts;
        _vocabulary = parts.Vocabulary;
        _normalizer = parts.Normalizer;
        _decoders = parts.Decoders;
        _template = [.. parts.Template];
        _byteLevel = parts.ByteLevel;
        _byteFallback = parts.ByteFallback;
        _addedTokens = [.. parts.AddedTokens];
        VocabularySize = Math.Max(_vocabulary.Size, _addedTokens.Select(t => t.Id + 1).DefaultIfEmpty().Max());
        _texts = new string?[VocabularySize];
        _isSpecial = new bool[VocabularySize];
        for (int id = 0; id < _vocabulary.Size; id++)
            _texts[id] = _vocabulary[id];
        foreach (AddedToken token in _addedTokens)
        {
            _texts[token.Id] = token.Content;
            _isSpecial[token.Id] = token.Special;
            _addedIds[token.Content] = token.Id;
        }

        // A token that is looked for in normalized text also decodes to its normalized content.
        _decodedTexts = _texts;
        if (_normalizer is not null && _addedTokens.Any(t => t.Normalized))
        {
            _decodedTexts = [.. _texts];
            foreach (AddedToken token in _addedTokens.Where(t => t.Normalized))
                _decodedTexts[token.Id] = _normalizer.Normalize(token.Content);
        }

        PieceStage stage = parts.Model;
        foreach (PieceStage step in parts.PreTokenizers.Reverse())
        {
            step.Next = stage;
            stage = step;
        }

        _firstStage = stage;

        // Special tokens come first: of two with the same content after normalization the earlier one is found.
        AddedToken[] ordered = [.. _addedTokens.Where(t => t.Special), .. _addedTokens.Where(t => !t.Special)];
        _rawMatcher = Matcher([.. ordered.Where(t => !t.Normalized)], static content => content);
        _normalizedMatcher = Matcher(
            [.. ordered.Where(t => t.Normalized)],
            content => _normalizer is null ? content : _normalizer.Normalize(content));
        _special = new SpecialTexts(_addedTokens.Where(t => t.Special).Select(t => t.Content));
        int place = Array.IndexOf(_template, TokenizerParts.TextPlace);
        Prefix = place < 0 ? _template : _template[..place];
        Suffix = place < 0 ? [] : _template[(place + 1)..];
    }

    /// <summary>One more than the greatest id. A model's embedding may have more rows.</summary>
    public int VocabularySize { get; }

    /// <summary>The tokens that are looked for in a text before the model cuts it.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _addedTokens;

    /// <summary>The ids that the post-processor puts before a text.</summary>
    public IReadOnlyList<int> Prefix { get; }

    /// <summary>The ids that the post-processor puts behind a text.</summary>
    public IReadOnlyList<int> Suffix { get; }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text; lone surrogates count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its prefix and suffix.</param>
    /// <param name="specialTokens">What special tokens written in the text mean.</param>
    /// <exception cref="UnsupportedException">The file's own pattern backtracks without end on this text.</exception>
    public int[] Encode(string text, bool addSpecialTokens = false, SpecialTokens specialTokens = SpecialTokens.AsText)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        if (!addSpecialTokens)
        {
            Encode(text, specialTokens, guards: null, ids);
            return [.. ids];
        }

        foreach (int id in _template)
        {
            if (id == TokenizerParts.TextPlace)
                Encode(text, specialTokens, guards: null, ids);
            else
                ids.Add(id);
        }

        return [.. ids];
    }

    /// <summary>Appends the ids of a text to a list, without prefix and suffix.</summary>
    /// <param name="text">The text; lone surrogates count as U+FFFD.</param>
    /// <param name="specialTokens">What special tokens written in the text mean.</param>
    /// <param name="ids">Is appended to.</param>
    public void Encode(string text, SpecialTokens specialTokens, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(ids);
        Encode(text, specialTokens, guards: null, ids);
    }

    /// <summary>The text of ids. Ids that name no token are passed over.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var text = new StringBuilder();
        var stream = new TokenStream(this, skipSpecialTokens, whole: true);
        foreach (int id in ids)
            stream.Append(id, text);
        stream.Flush(text);
        return text.ToString();
    }

    /// <summary>A new stream that turns ids into text as they come.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public TokenStream CreateStream(bool skipSpecialTokens = true) => new(this, skipSpecialTokens, whole: false);

    /// <summary>The id of a token by its text as the vocabulary writes it.</summary>
    public bool TryGetId(string token, out int id)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _addedIds.TryGetValue(token, out id) || _vocabulary.TryGetId(token, out id);
    }

    /// <summary>A token as the vocabulary writes it; null where the id names none.</summary>
    public string? TokenText(int id) => (uint)id < (uint)_texts.Length ? _texts[id] : null;

    /// <summary>Whether the id is a special token.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

    /// <summary>
    /// The bytes that a token adds to the text where it does not stand first: what a grammar or a display of single
    /// tokens works on. Empty where the id names no token.
    /// </summary>
    public byte[] TokenBytes(int id)
    {
        if (DecodedText(id) is not { } token)
            return [];
        if (_byteLevel)
        {
            var bytes = new byte[token.Length];
            for (int i = 0; i < token.Length; i++)
            {
                int value = ByteAlphabet.ToByte(token[i]);
                if (value < 0)
                    return Encoding.UTF8.GetBytes(token);
                bytes[i] = (byte)value;
            }

            return bytes;
        }

        // A single byte may be no character of its own, so it never goes through the decoder.
        if (_byteFallback && Vocabulary.TryParseByteToken(token, out byte single))
            return [single];
        var text = new StringBuilder();
        var sink = new TextSink { Target = text };
        DecoderStage first = CreateDecoder(sink, whole: true);
        first.Token("x", continues: false);
        first.Token(token, continues: false);
        first.End();
        return Encoding.UTF8.GetBytes(text.ToString(1, text.Length - 1));
    }

    /// <summary>What the decoder gets for an id.</summary>
    internal string? DecodedText(int id) => (uint)id < (uint)_decodedTexts.Length ? _decodedTexts[id] : null;

    internal DecoderStage CreateDecoder(TextSink sink, bool whole)
    {
        DecoderStage stage = sink;
        for (int i = _decoders.Count - 1; i >= 0; i--)
            stage = _decoders[i](stage, whole);
        return stage;
    }

    private static AddedTokenMatcher? Matcher(AddedToken[] tokens, Func<string, string> content) =>
        tokens.Length == 0 ? null : new AddedTokenMatcher(tokens, [.. tokens.Select(t => content(t.Content))]);

    private void Encode(string text, SpecialTokens special, GuardPositions? guards, List<int> ids)
    {
        text = CodePoints.WellFormed(text);
        if (_rawMatcher is null)
            EncodeNormalized(text, 0, text.Length, special, guards, ids);
        else
            _rawMatcher.Split(text, special, guards, (start, end) => EncodeNormalized(text, start, end, special, guards, ids), ids.Add);
    }

    private void EncodeNormalized(
        string whole, int start, int end, SpecialTokens special, GuardPositions? guards, List<int> ids)
    {
        if (start == end)
            return;
        bool atStart = start == 0;
        string text = start == 0 && end == whole.Length ? whole : whole[start..end];
        if (_normalizer is not null)
            text = _normalizer.Normalize(text);
        if (text.Length == 0)
            return;
        if (_normalizedMatcher is null)
        {
            _firstStage.Process(text, atStart, ids);
            return;
        }

        if (guards is not null)
        {
            // Behind a normalizer the guards have no place any more; a part that holds any is a user's.
            if (_normalizer is not null && guards.Any(start, end))
                special = SpecialTokens.AsText;
            guards = _normalizer is null ? guards.From(start) : null;
        }

        _normalizedMatcher.Split(text, special, guards, (from, to) => _firstStage.Process(text.AsSpan(from, to - from), atStart && from == 0, ids), ids.Add);
    }
}
