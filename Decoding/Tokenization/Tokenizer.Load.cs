using Portable.Checkpoints;

namespace Portable.Decoding.Tokenization;

public sealed partial class Tokenizer
{
    private const long MostBytes = 1L << 30;

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidModelException">The file is absent, broken or contradicts itself.</exception>
    /// <exception cref="UnsupportedException">It names a component that is not known.</exception>
    public static Tokenizer FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] bytes = ModelFolder.TryRead(path, MostBytes)
            ?? throw new InvalidModelException(path, null, "there is no such file; expected a tokenizer.json");
        return FromJson(bytes, path);
    }

    /// <summary>Reads the content of a <c>tokenizer.json</c>.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark; not kept.</param>
    /// <param name="fileName">The name for messages.</param>
    /// <exception cref="InvalidModelException">The content is broken or contradicts itself.</exception>
    /// <exception cref="UnsupportedException">It names a component that is not known.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> json, string fileName)
    {
        ArgumentNullException.ThrowIfNull(fileName);
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        return TokenizerJson.Read(json, fileName);
    }

    /// <summary>Builds a tokenizer from the vocabulary of a GGUF file.</summary>
    /// <param name="vocabulary">The vocabulary.</param>
    /// <param name="fileName">The name for messages.</param>
    /// <exception cref="InvalidModelException">The lists contradict one another.</exception>
    /// <exception cref="UnsupportedException">The model or pre-tokenizer is not known.</exception>
    public static Tokenizer FromGguf(GgufVocabulary vocabulary, string fileName)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        ArgumentNullException.ThrowIfNull(fileName);
        return new Tokenizer(GgufTokenizer.Build(vocabulary, fileName));
    }
}
