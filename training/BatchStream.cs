using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Portable.Decoding.Tokenization;
using Portable.Training.World;

namespace Portable.Training;

/// <summary>
/// Pictures with tokenized questions, as the training loop reads them: a line of JSON (token ids, labels), then batches of pictures of one size.
/// All numbers are little-endian; a batch is seven int32 (mark of a batch, index, pictures B, width W, height H, tokens T, marks M), then
/// pixels u8[B,H,W,3], ids i16[B,T], targets i16[B,T] (-1: none), offsets i16[B,T] (from the start of the question), segments u8[B,T] (0: padding),
/// categories u8[B,T] (+64: a lookup), marks i16[M,4] (picture, x, y, label).
/// </summary>
internal sealed class BatchStream(Stream output)
{
    public const int BatchMark = 0x31425450;
    private const int MaxQuestions = 7, MaxLookups = 6;

    private readonly Tokenizer _tokenizer = Vocabulary.Tokenizer();
    private readonly Dictionary<string, int[]> _encoded = [];

    private sealed record Row(Picture Picture, List<short> Ids, List<short> Targets, List<short> Offsets, List<byte> Segments, List<byte> Categories);

    public void WriteHeader()
    {
        JsonArray Ids(string text) => [.. _tokenizer.Encode(text, specialTokens: SpecialTokens.Parse).Select(id => (JsonNode)id)];
        var header = new JsonObject
        {
            ["vocabulary"] = _tokenizer.VocabularySize,
            ["before_image"] = Ids($"{Vocabulary.TurnStart}user\n{Vocabulary.VisionStart}"),
            ["after_image"] = Ids(Vocabulary.VisionEnd),
            ["image"] = Ids(Vocabulary.ImagePad),
            ["video"] = Ids(Vocabulary.VideoPad),
            ["vision_start"] = Ids(Vocabulary.VisionStart),
            ["vision_end"] = Ids(Vocabulary.VisionEnd),
            ["end"] = Ids(Vocabulary.TurnEnd),
            ["pad"] = Ids(Vocabulary.EndOfText),
            ["labels"] = new JsonArray([.. Marks.Labels.Select(l => (JsonNode)l)]),
            ["categories"] = new JsonArray([.. Enum.GetNames<Category>().Select(n => (JsonNode)n.ToLowerInvariant())]),
        };
        output.Write(Encoding.UTF8.GetBytes(header.ToJsonString() + "\n"));
    }

    /// <summary>Batch <paramref name="index"/> of the endless world of that seed: it depends on nothing before it.</summary>
    public void WriteTraining(ulong seed, long index, int batch, double level)
    {
        var random = WorldRandom.ForItem(seed, index);
        Scene scene = Scene.Any(random);
        (int width, int height) = random.Of(scene.Sizes);
        var rows = new List<Row>(batch);
        for (int i = 0; i < batch; i++)
        {
            var own = WorldRandom.ForItem(seed + 1, index * 4096 + i);
            Picture picture = scene.Draw(width, height, own, level);
            own.Shuffle(picture.Questions);
            // One question of a kind in turn, so that the frequent kinds do not crowd out the others.
            List<Question> questions = [.. picture.Questions.GroupBy(q => q.Category).SelectMany(g => g.Select((q, turn) => (q, turn)))
                .OrderBy(p => p.turn).Select(p => p.q).Take(MaxQuestions)];
            own.Shuffle(picture.Lookups);
            rows.Add(Encode(picture, questions, picture.Lookups.Take(MaxLookups)));
        }

        Write((int)index, rows);
    }

    /// <summary>The questions of a suite in the same form, so that the loop can check itself on them.</summary>
    public void WriteSuite(IEnumerable<(Picture Picture, List<Question> Questions)> suite, int batch)
    {
        int index = 0;
        foreach (var size in suite.GroupBy(s => (s.Picture.Width, s.Picture.Height)))
        {
            foreach (var part in size.Chunk(batch))
                Write(index++, [.. part.Select(p => Encode(p.Picture, p.Questions, []))]);
        }
    }

    private int[] Tokens(string text)
    {
        if (!_encoded.TryGetValue(text, out int[]? ids))
        {
            ids = _tokenizer.Encode(text, specialTokens: SpecialTokens.Parse);
            if (_encoded.Count < 100_000)
                _encoded.Add(text, ids);
        }

        return ids;
    }

    private Row Encode(Picture picture, List<Question> questions, IEnumerable<Lookup> lookups)
    {
        var row = new Row(picture, [], [], [], [], []);
        foreach (Question question in questions)
            Append(row, Tokens($"{question.Text}{Vocabulary.TurnEnd}\n{Vocabulary.TurnStart}assistant\n"), Tokens(question.Answer + Vocabulary.TurnEnd), (byte)question.Category);
        foreach (Lookup lookup in lookups)
            Append(row, Tokens($"{Vocabulary.VideoPad}{lookup.Key}{Vocabulary.EndOfText}"), Tokens(lookup.Value + Vocabulary.TurnEnd), (byte)((int)lookup.Category + 64));
        return row;
    }

    private static void Append(Row row, int[] prompt, int[] answer, byte category)
    {
        byte segment = (byte)(row.Segments.Count == 0 ? 1 : row.Segments[^1] + 1);
        // The last answer token (the end of the turn) is only ever a target.
        for (int i = 0; i < prompt.Length + answer.Length - 1; i++)
        {
            row.Ids.Add((short)(i < prompt.Length ? prompt[i] : answer[i - prompt.Length]));
            row.Targets.Add((short)(i < prompt.Length - 1 ? -1 : answer[i - prompt.Length + 1]));
            row.Offsets.Add((short)i);
            row.Segments.Add(segment);
            row.Categories.Add(category);
        }
    }

    private void Write(int index, List<Row> rows)
    {
        int tokens = rows.Max(r => r.Ids.Count), marks = rows.Sum(r => r.Picture.Marks.Count);
        (int width, int height) = (rows[0].Picture.Width, rows[0].Picture.Height);
        Span<byte> head = stackalloc byte[28];
        int[] numbers = [BatchMark, index, rows.Count, width, height, tokens, marks];
        for (int i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(head[(4 * i)..], numbers[i]);
        using var buffer = new MemoryStream();
        buffer.Write(head);
        foreach (Row row in rows)
            buffer.Write(row.Picture.Rgb);
        Write16(buffer, rows, tokens, r => r.Ids, 0);
        Write16(buffer, rows, tokens, r => r.Targets, -1);
        Write16(buffer, rows, tokens, r => r.Offsets, 0);
        Write8(buffer, rows, tokens, r => r.Segments);
        Write8(buffer, rows, tokens, r => r.Categories);
        Span<byte> two = stackalloc byte[8];
        for (int b = 0; b < rows.Count; b++)
        {
            foreach (Mark mark in rows[b].Picture.Marks)
            {
                BinaryPrimitives.WriteInt16LittleEndian(two, (short)b);
                BinaryPrimitives.WriteInt16LittleEndian(two[2..], (short)mark.X);
                BinaryPrimitives.WriteInt16LittleEndian(two[4..], (short)mark.Y);
                BinaryPrimitives.WriteInt16LittleEndian(two[6..], (short)mark.Label);
                buffer.Write(two);
            }
        }

        buffer.WriteTo(output);
    }

    private static void Write16(MemoryStream buffer, List<Row> rows, int tokens, Func<Row, List<short>> column, short padding)
    {
        Span<byte> two = stackalloc byte[2];
        foreach (Row row in rows)
        {
            List<short> values = column(row);
            for (int t = 0; t < tokens; t++)
            {
                BinaryPrimitives.WriteInt16LittleEndian(two, t < values.Count ? values[t] : padding);
                buffer.Write(two);
            }
        }
    }

    private static void Write8(MemoryStream buffer, List<Row> rows, int tokens, Func<Row, List<byte>> column)
    {
        foreach (Row row in rows)
        {
            List<byte> values = column(row);
            for (int t = 0; t < tokens; t++)
                buffer.WriteByte(t < values.Count ? values[t] : (byte)0);
        }
    }
}
