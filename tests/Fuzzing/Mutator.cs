using System.Buffers.Binary;
using System.Text;

namespace Portable.Fuzzing;

/// <summary>
/// Makes broken inputs of sound ones: bytes and bits changed, numbers made extreme, parts cut, repeated, moved and taken from another input.
/// The same seed gives the same inputs.
/// </summary>
internal sealed class Mutator(int seed, IReadOnlyList<byte[]> seeds)
{
    private const int LongestInput = 1 << 20;

    private static readonly byte[][] s_words =
    [
        .. new[]
        {
            "null", "-1", "0", "1e999", "9223372036854775807", "99999999999999999999", "{}", "[]", "\"", "\\u0000", "\\uD800", "[[[[[[[[[[", "{\"a\":", "true", "0x", " ", "\n",
            "{{", "}}", "{%", "%}", "for", "endfor", "**", "//", "loop", "range(99999999)", "|join", ".format(", "(?:", ")*", "\u2581", "NaN",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    private readonly Random _random = new(seed);

    /// <summary>The next input.</summary>
    public byte[] Next()
    {
        List<byte> bytes = [.. seeds[_random.Next(seeds.Count)]];
        for (int changes = 1 + _random.Next(4); changes > 0; changes--)
            Change(bytes);
        return bytes.Count > LongestInput ? [.. bytes.Take(LongestInput)] : [.. bytes];
    }

    private void Change(List<byte> bytes)
    {
        int at = bytes.Count == 0 ? 0 : Place(bytes.Count), count = Math.Min(1 + _random.Next(_random.Next(4) == 0 ? 64 : 8), bytes.Count - at);
        switch (_random.Next(9))
        {
            case 0 when bytes.Count > 0:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when bytes.Count > 0:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2 when bytes.Count - at >= 8:
                Span<byte> number = stackalloc byte[8];
                ulong[] extremes = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, long.MaxValue, ulong.MaxValue, 1UL << 40, (ulong)_random.NextInt64()];
                BinaryPrimitives.WriteUInt64LittleEndian(number, extremes[_random.Next(extremes.Length)]);
                for (int i = 0, width = 1 << _random.Next(4); i < width; i++)
                    bytes[at + i] = number[i];
                break;
            case 3:
                bytes.RemoveRange(at, count);
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, count));
                break;
            case 5:
                bytes.InsertRange(at, s_words[_random.Next(s_words.Length)]);
                break;
            case 6:
                byte[] word = s_words[_random.Next(s_words.Length)];
                bytes.RemoveRange(at, count);
                bytes.InsertRange(at, word);
                break;
            case 7:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            default:
                byte[] other = seeds[_random.Next(seeds.Count)];
                if (other.Length > 0)
                {
                    int from = _random.Next(other.Length);
                    bytes.InsertRange(at, other.AsSpan(from, Math.Min(other.Length - from, 1 + _random.Next(256))).ToArray());
                }

                break;
        }
    }

    // Headers are at the beginning: half of all changes are there.
    private int Place(int length) => _random.Next(2) == 0 ? _random.Next(Math.Min(length, 256)) : _random.Next(length);
}
