using System.Buffers.Binary;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Reads SentencePiece's own <c>tokenizer.model</c>: a protocol buffer (sentencepiece_model.proto) with a piece, a score and a type for each id, and
/// what the trainer and the normalizer were told. Piece types are those of GGUF, which took them from here.
/// </summary>
internal static class SentencePieceFile
{
    private const int Unigram = 1, BytePair = 2;
    private const int MostPieces = 1 << 21;

    /// <summary>Whether bytes can be such a file: it begins with a piece.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.Length > 2 && bytes[0] == 0x0A;

    /// <summary>Reads the vocabulary.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="file">Its path, for errors.</param>
    /// <param name="addBos">What tokenizer_config.json says about the token before a text; null where it says nothing.</param>
    /// <param name="addEos">The same of the token after it.</param>
    /// <exception cref="InvalidModelException">The bytes are no such file, or contradict themselves.</exception>
    /// <exception cref="UnsupportedException">The model is of a kind that is not read (words, characters).</exception>
    public static GgufVocabulary Read(ReadOnlyMemory<byte> bytes, string file, bool? addBos, bool? addEos)
    {
        var tokens = new List<string>();
        var scores = new List<float>();
        var types = new List<int>();
        int kind = Unigram;
        int unknown = 0, bos = 1, eos = 2;
        bool addSpace = true, removeSpaces = true;
        ReadOnlyMemory<byte> charsMap = default;
        var reader = new Reader(bytes.Span, file);
        while (reader.Next(out int field, out int wire))
        {
            switch (field)
            {
                case 1 when wire == 2:
                    if (tokens.Count == MostPieces)
                        throw new InvalidModelException(file, "pieces", $"more than {MostPieces} pieces");
                    (string text, float score, int type) = Piece(new Reader(reader.Bytes(), file), file, tokens.Count);
                    tokens.Add(text);
                    scores.Add(score);
                    types.Add(type);
                    break;
                case 2 when wire == 2:
                    var trainer = new Reader(reader.Bytes(), file);
                    while (trainer.Next(out int option, out int optionWire))
                    {
                        long? number = optionWire == 0 ? trainer.Number() : null;
                        if (number is null)
                            trainer.Skip(optionWire);
                        else if (option == 3)
                            kind = Integer(number.Value);
                        else if (option == 40)
                            unknown = Integer(number.Value);
                        else if (option == 41)
                            bos = Integer(number.Value);
                        else if (option == 42)
                            eos = Integer(number.Value);
                    }

                    break;
                case 3 when wire == 2:
                    ReadOnlySpan<byte> content = reader.Bytes();
                    int contentAt = reader.Position - content.Length;
                    var normalizer = new Reader(content, file);
                    while (normalizer.Next(out int option, out int optionWire))
                    {
                        if (option == 2 && optionWire == 2)
                        {
                            int length = normalizer.Bytes().Length;
                            charsMap = bytes.Slice(contentAt + normalizer.Position - length, length);
                        }
                        else if (optionWire == 0)
                        {
                            bool flag = normalizer.Number() != 0;
                            addSpace = option == 3 ? flag : addSpace;
                            removeSpaces = option == 4 ? flag : removeSpaces;
                        }
                        else
                        {
                            normalizer.Skip(optionWire);
                        }
                    }

                    break;
                default:
                    reader.Skip(wire);
                    break;
            }
        }

        if (kind is not (Unigram or BytePair))
            throw new UnsupportedException($"A SentencePiece model of kind {kind} ({file})", "read are unigram (1) and byte-pair encoding (2)");
        return new GgufVocabulary
        {
            Model = kind == BytePair ? "llama" : "t5",
            Tokens = tokens,
            Scores = scores,
            TokenTypes = types,
            UnknownId = Id(unknown),
            BosId = Id(bos),
            EosId = Id(eos),
            AddBos = addBos,
            AddEos = addEos,
            AddSpacePrefix = addSpace,
            RemoveExtraWhitespaces = removeSpaces && kind == Unigram,
            PrecompiledCharsMap = charsMap,
        };

        int? Id(int id) => (uint)id < (uint)tokens.Count ? id : null;

        static int Integer(long number) => (int)Math.Clamp(number, int.MinValue, int.MaxValue);
    }

    private static (string Text, float Score, int Type) Piece(Reader piece, string file, int id)
    {
        string text = "";
        float score = 0;
        int type = 1;
        while (piece.Next(out int field, out int wire))
        {
            if (field == 1 && wire == 2)
                text = Text(piece.Bytes(), file, id);
            else if (field == 2 && wire == 5)
                score = piece.Float();
            else if (field == 3 && wire == 0)
                type = (int)Math.Clamp(piece.Number(), 0, 64);
            else
                piece.Skip(wire);
        }

        return float.IsFinite(score) ? (text, score, type) : throw new InvalidModelException(file, $"pieces[{id}]", "its score is not a finite number");
    }

    private static string Text(ReadOnlySpan<byte> bytes, string file, int id)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidModelException(file, $"pieces[{id}]", "its text is not UTF-8", error);
        }
    }

    /// <summary>Reads fields of a protocol buffer; lengths are checked against what is left.</summary>
    private ref struct Reader(ReadOnlySpan<byte> bytes, string file)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;

        public int Position { get; private set; }

        public bool Next(out int field, out int wire)
        {
            field = wire = 0;
            if (Position >= _bytes.Length)
                return false;
            long key = Number();
            (field, wire) = ((int)Math.Min(key >> 3, int.MaxValue), (int)(key & 7));
            return true;
        }

        public long Number()
        {
            ulong value = 0;
            for (int shift = 0; shift < 70; shift += 7)
            {
                byte next = Take(1)[0];
                value |= shift < 64 ? (ulong)(next & 127) << shift : 0;
                if (next < 128)
                    return (long)value;
            }

            throw Broken("a number of more than ten bytes");
        }

        public ReadOnlySpan<byte> Bytes()
        {
            long length = Number();
            return length >= 0 && length <= _bytes.Length - Position ? Take((int)length) : throw Broken($"a field of {length} bytes with {_bytes.Length - Position} left");
        }

        public float Float() => BinaryPrimitives.ReadSingleLittleEndian(Take(4));

        public void Skip(int wire)
        {
            switch (wire)
            {
                case 0:
                    Number();
                    break;
                case 1:
                    Take(8);
                    break;
                case 2:
                    Bytes();
                    break;
                case 5:
                    Take(4);
                    break;
                default:
                    throw Broken($"a field of kind {wire}");
            }
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _bytes.Length - Position)
                throw Broken($"{count} bytes expected, {_bytes.Length - Position} left");
            Position += count;
            return _bytes.Slice(Position - count, count);
        }

        private readonly InvalidModelException Broken(string problem) => new(file, null, $"not a SentencePiece model: {problem} at byte {Position}");
    }
}
