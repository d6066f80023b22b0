using System.Buffers;
using System.Text;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// Makes characters of bytes that come one at a time: a character with its last byte, U+FFFD for each maximal ill-formed
/// part as soon as it can't become a character any more (Unicode 16, section 3.9; the WHATWG practice).
/// </summary>
internal struct Utf8Assembler
{
    private uint _pending;

    /// <summary>How many bytes wait for the rest of their character: 0 to 3.</summary>
    public int PendingCount { get; private set; }

    /// <summary>Takes a byte; gives the number of UTF-16 units written to the target, which has room for four.</summary>
    public int Add(byte value, Span<char> target)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < PendingCount; i++)
            bytes[i] = (byte)(_pending >> (8 * i));
        bytes[PendingCount] = value;
        ReadOnlySpan<byte> rest = bytes[..(PendingCount + 1)];
        int written = 0;
        while (!rest.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf8(rest, out Rune rune, out int used);
            if (status == OperationStatus.NeedMoreData)
                break;
            written += rune.EncodeToUtf16(target[written..]);
            rest = rest[used..];
        }

        PendingCount = rest.Length;
        _pending = 0;
        for (int i = 0; i < rest.Length; i++)
            _pending |= (uint)rest[i] << (8 * i);
        return written;
    }

    /// <summary>Forgets what waits.</summary>
    public void Reset()
    {
        _pending = 0;
        PendingCount = 0;
    }
}
