using System.Runtime.InteropServices;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// The vocabulary and the merges of a byte-pair tokenizer as an engine file holds them, so that a start neither parses nor looks them up. Little-endian:
/// a word that tells the form, the number of ids and of merges, for each id its length in UTF-16 (-1 for a gap) and whether its text finds it, the texts,
/// and the merges: pairs of ids, ranks, results. What is read is untrusted.
/// </summary>
/// <param name="Vocabulary">The tokens.</param>
/// <param name="Merges">The merges.</param>
internal sealed record CompiledVocabulary(Vocabulary Vocabulary, MergeTable Merges)
{
    /// <summary>What it is called among the small files of an engine file.</summary>
    public const string FileName = "tokenizer.compiled";

    private const int Form = 0x31564350; // "PCV1"
    private const int HeaderBytes = 16;
    private const int Most = 1 << 24;

    /// <summary>Writes a tokenizer's; null where it has no merges.</summary>
    public static byte[]? Write(TokenizerParts parts)
    {
        if (parts.Model is not BytePairModel model)
            return null;
        Vocabulary vocabulary = parts.Vocabulary;
        var lengths = new int[vocabulary.Size];
        var isFound = new byte[vocabulary.Size];
        var texts = new List<char>();
        for (int id = 0; id < lengths.Length; id++)
        {
            string? text = vocabulary[id];
            lengths[id] = text?.Length ?? -1;
            isFound[id] = (byte)(text is not null && vocabulary.TryGetId(text, out int found) && found == id ? 1 : 0);
            texts.AddRange(text ?? "");
        }

        (ulong[] pairs, int[] ranks, int[] results) = model.Merges.Entries();
        using var memory = new MemoryStream();
        Put<int>(memory, [Form, lengths.Length, ranks.Length, texts.Count]);
        Put<int>(memory, lengths);
        Put<byte>(memory, isFound);
        Put<char>(memory, CollectionsMarshal.AsSpan(texts));
        Put<ulong>(memory, pairs);
        Put<int>(memory, ranks);
        Put<int>(memory, results);
        return memory.ToArray();
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidModelException">The bytes contradict themselves.</exception>
    public static CompiledVocabulary Read(ReadOnlySpan<byte> bytes, string file)
    {
        if (bytes.Length < HeaderBytes)
            throw Broken("it is cut off");
        ReadOnlySpan<int> header = MemoryMarshal.Cast<byte, int>(bytes[..HeaderBytes]);
        (int form, int count, int merges, int characters) = (header[0], header[1], header[2], header[3]);
        if (form != Form || (uint)count > Most || (uint)merges > Most || characters < 0)
            throw Broken("it does not begin as one");
        if (HeaderBytes + (5L * count) + (2L * characters) + (16L * merges) != bytes.Length)
            throw Broken("its length is another than its numbers say");
        ReadOnlySpan<byte> rest = bytes[HeaderBytes..];
        ReadOnlySpan<int> lengths = Take<int>(ref rest, count);
        ReadOnlySpan<byte> isFound = Take<byte>(ref rest, count);
        // Not aligned from here on, which these processors take as it comes.
        ReadOnlySpan<char> texts = Take<char>(ref rest, characters);
        var vocabulary = new Vocabulary(count);
        for (int id = 0; id < count; id++)
        {
            int length = lengths[id];
            if (length < 0)
                continue;
            if (length > texts.Length)
                throw Broken($"token {id} runs past the texts");
            string text = texts[..length].ToString();
            texts = texts[length..];
            if (isFound[id] == 0)
                vocabulary.AddAlias(text, id);
            else if (!vocabulary.TryAdd(text, id))
                throw Broken($"token {id} stands there twice");
        }

        ReadOnlySpan<ulong> pairs = Take<ulong>(ref rest, merges);
        ReadOnlySpan<int> ranks = Take<int>(ref rest, merges), results = Take<int>(ref rest, merges);
        var table = new MergeTable(merges);
        for (int i = 0; i < merges; i++)
        {
            uint left = (uint)(pairs[i] >> 32), right = (uint)pairs[i];
            if (left >= (uint)count || right >= (uint)count || (uint)results[i] >= (uint)count || ranks[i] < 0)
                throw Broken($"merge {i} names a token that is not there");
            table.Set((int)left, (int)right, ranks[i], results[i]);
        }

        return new CompiledVocabulary(vocabulary, table);

        InvalidModelException Broken(string problem) => new(file, FileName, $"the stored vocabulary is broken: {problem}");
    }

    private static void Put<T>(Stream stream, ReadOnlySpan<T> values) where T : unmanaged => stream.Write(MemoryMarshal.AsBytes(values));

    private static ReadOnlySpan<T> Take<T>(ref ReadOnlySpan<byte> bytes, int count) where T : unmanaged
    {
        int length = count * System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(bytes[..length]);
        bytes = bytes[length..];
        return values;
    }
}
