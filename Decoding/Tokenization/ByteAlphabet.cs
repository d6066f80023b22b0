using System.Buffers;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// GPT-2's way to write bytes as characters (openai/gpt-2, encoder.py, bytes_to_unicode): printable Latin-1 characters
/// stand for themselves, the other 68 bytes are U+0100 and on in rising order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = BuildChars();
    private static readonly short[] Bytes = BuildBytes();

    /// <summary>The character of a byte.</summary>
    public static char ToChar(byte value) => Chars[value];

    /// <summary>The byte of a character, or -1.</summary>
    public static int ToByte(char c) => c < Bytes.Length ? Bytes[c] : -1;

    /// <summary>Writes the UTF-8 bytes of the text as characters; the target has three for each of the text's.</summary>
    public static int Encode(ReadOnlySpan<char> text, Span<char> target)
    {
        int count = 0;
        foreach (char c in text)
        {
            if (c >= 128)
                return EncodeUtf8(text, target);
            target[count++] = Chars[c];
        }

        return count;
    }

    private static int EncodeUtf8(ReadOnlySpan<char> text, Span<char> target)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(text.Length * 3);
        int length = Encoding.UTF8.GetBytes(text, rented);
        for (int i = 0; i < length; i++)
            target[i] = Chars[rented[i]];
        ArrayPool<byte>.Shared.Return(rented);
        return length;
    }

    private static char[] BuildChars()
    {
        var chars = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            chars[b] = b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174 ? (char)b : (char)next++;
        return chars;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[512];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
