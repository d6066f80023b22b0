using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// SentencePiece's compiled character map: the size of a double-array trie in bytes (uint32), the trie (darts-clone
/// units), then the replacements, each ended by NUL. Applied by extended grapheme cluster: one shorter than 6 bytes of
/// UTF-8 becomes the entry of its shortest prefix in the map, else each code point is looked up alone.
/// </summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private readonly uint[] _trie;
    private readonly byte[] _replacements;

    /// <summary>Reads the map; null where its lengths contradict one another.</summary>
    public static PrecompiledNormalizer? TryCreate(ReadOnlySpan<byte> map)
    {
        if (map.Length < 4)
            return null;
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (size > map.Length - 4 || size % 4 != 0 || size == 0)
            return null;
        var trie = new uint[size / 4];
        for (int i = 0; i < trie.Length; i++)
            trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(4 + 4 * i)..]);
        return new PrecompiledNormalizer(trie, map[(4 + (int)size)..].ToArray());
    }

    private PrecompiledNormalizer(uint[] trie, byte[] replacements)
    {
        _trie = trie;
        _replacements = replacements;
    }

    public override string Normalize(string text)
    {
        var output = new StringBuilder(text.Length);
        Span<byte> utf8 = stackalloc byte[16];
        for (int at = 0; at < text.Length;)
        {
            int length = StringInfo.GetNextTextElementLength(text.AsSpan(at));
            ReadOnlySpan<char> cluster = text.AsSpan(at, length);
            at += length;
            if (cluster.Length < 6 && Encoding.UTF8.GetByteCount(cluster) is int bytes and < 6
                && TryMap(utf8[..Encoding.UTF8.GetBytes(cluster, utf8[..bytes])], output))
            {
                continue;
            }

            foreach (Rune rune in cluster.EnumerateRunes())
            {
                if (!TryMap(utf8[..rune.EncodeToUtf8(utf8)], output))
                    output.Append(rune);
            }
        }

        return output.ToString();
    }

    // Every index is checked: the map comes from a file.
    private bool TryMap(ReadOnlySpan<byte> key, StringBuilder output)
    {
        uint position = Offset(_trie[0]);
        foreach (byte b in key)
        {
            position ^= b;
            if (b == 0 || position >= _trie.Length)
                return false;
            uint unit = _trie[position];
            if ((unit & 0x800000FF) != b)
                return false;
            position ^= Offset(unit);
            if ((unit >> 8 & 1) == 0)
                continue;
            if (position >= _trie.Length)
                return false;
            uint start = _trie[position] & 0x7FFFFFFF;
            if (start > _replacements.Length)
                return false;
            ReadOnlySpan<byte> rest = _replacements.AsSpan((int)start);
            int end = rest.IndexOf((byte)0);
            output.Append(Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]));
            return true;
        }

        return false;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1u << 9) >> 6);
}
