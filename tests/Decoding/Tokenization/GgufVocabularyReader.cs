using System.Text;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

/// <summary>Reads the tokenizer keys of a sound GGUF file. Trusts its input.</summary>
internal static class GgufVocabularyReader
{
    public static GgufVocabulary Read(byte[] file)
    {
        using var reader = new BinaryReader(new MemoryStream(file));
        reader.ReadUInt64();
        reader.ReadUInt64();
        ulong count = reader.ReadUInt64();
        var values = new Dictionary<string, object>();
        for (ulong i = 0; i < count; i++)
        {
            string key = Text(reader);
            values[key] = Value(reader, reader.ReadUInt32());
        }

        T? Get<T>(string key) where T : class => values.TryGetValue("tokenizer.ggml." + key, out object? value) ? (T)value : null;
        int? Id(string key) => values.TryGetValue($"tokenizer.ggml.{key}_token_id", out object? value) ? Convert.ToInt32(value) : null;
        bool? Flag(string key) => values.TryGetValue("tokenizer.ggml." + key, out object? value) ? (bool)value : null;

        return new GgufVocabulary
        {
            Model = Get<string>("model")!,
            Pre = Get<string>("pre"),
            Architecture = (string)values["general.architecture"],
            Tokens = [.. Get<object[]>("tokens")!.Cast<string>()],
            Scores = Get<object[]>("scores")?.Cast<float>().ToArray(),
            Merges = Get<object[]>("merges")?.Cast<string>().ToArray(),
            TokenTypes = Get<object[]>("token_type")?.Select(Convert.ToInt32).ToArray(),
            BosId = Id("bos"),
            EosId = Id("eos"),
            UnknownId = Id("unknown"),
            ClassId = Id("cls"),
            SeparatorId = Id("seperator"),
            RemoveExtraWhitespaces = Flag("remove_extra_whitespaces"),
            PrecompiledCharsMap = Get<object[]>("precompiled_charsmap") is { } map ? map.Select(b => b is sbyte s ? (byte)s : (byte)b).ToArray() : null,
            AddBos = Flag("add_bos_token"),
            AddEos = Flag("add_eos_token"),
            AddSpacePrefix = Flag("add_space_prefix"),
        };
    }

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));

    private static object Value(BinaryReader reader, uint type)
    {
        switch (type)
        {
            case 0: return reader.ReadByte();
            case 1: return reader.ReadSByte();
            case 2: return reader.ReadUInt16();
            case 3: return reader.ReadInt16();
            case 4: return reader.ReadUInt32();
            case 5: return reader.ReadInt32();
            case 6: return reader.ReadSingle();
            case 7: return reader.ReadBoolean();
            case 8: return Text(reader);
            case 9:
                uint inner = reader.ReadUInt32();
                var items = new object[reader.ReadUInt64()];
                for (int i = 0; i < items.Length; i++)
                    items[i] = Value(reader, inner);
                return items;
            case 10: return reader.ReadUInt64();
            case 11: return reader.ReadInt64();
            default: return reader.ReadDouble();
        }
    }
}
