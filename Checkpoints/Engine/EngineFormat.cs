using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Portable.Checkpoints;

/// <summary>
/// The frame of an engine file, little-endian: a header of 128 bytes, the contents (each beginning at a multiple of
/// <see cref="Alignment"/>), and the index. The header holds the index's place and hash, and a hash of itself.
/// </summary>
internal static class EngineFormat
{
    /// <summary>Grows with every change of the frame or the index.</summary>
    public const uint Version = 1;

    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 128;

    /// <summary>What contents begin at a multiple of.</summary>
    public const int Alignment = WeightImage.Alignment;

    /// <summary>The longest index that is read.</summary>
    public const long MostIndexBytes = 256 << 20;

    private const int HashedBytes = HeaderBytes - 32;

    /// <summary>How every engine file begins: not text, and broken by a transfer that changes line ends.</summary>
    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'P', (byte)'R', (byte)'T', (byte)'E', (byte)'N', (byte)'G', (byte)'\n'];

    /// <summary>Whether a file begins as an engine file does; false also where it cannot be read.</summary>
    public static bool HasMagic(string path)
    {
        try
        {
            if (FileLength.Of(path) < 8)
                return false;
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            Span<byte> start = stackalloc byte[8];
            return stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(Magic);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The header of a file.</summary>
    public static byte[] Header(long fileBytes, long indexOffset, ReadOnlySpan<byte> index)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        MemoryMarshal.Write(header.AsSpan(8), Version);
        MemoryMarshal.Write(header.AsSpan(16), fileBytes);
        MemoryMarshal.Write(header.AsSpan(24), indexOffset);
        MemoryMarshal.Write(header.AsSpan(32), (long)index.Length);
        SHA256.HashData(index, header.AsSpan(40, 32));
        SHA256.HashData(header.AsSpan(0, HashedBytes), header.AsSpan(HashedBytes));
        return header;
    }

    /// <summary>The index of a file, checked against its header.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="problem">What is wrong, where the result is empty.</param>
    public static unsafe ReadOnlySpan<byte> FindIndex(byte* file, long bytes, out string? problem)
    {
        problem = null;
        if (bytes < HeaderBytes)
        {
            problem = $"the file is cut off: {bytes} bytes, its header has {HeaderBytes}";
            return default;
        }

        var header = new ReadOnlySpan<byte>(file, HeaderBytes);
        uint version = MemoryMarshal.Read<uint>(header[8..]);
        long fileBytes = MemoryMarshal.Read<long>(header[16..]), offset = MemoryMarshal.Read<long>(header[24..]), length = MemoryMarshal.Read<long>(header[32..]);
        if (version != Version)
            problem = $"it is of version {version}, this program reads version {Version}";
        else if (!SHA256.HashData(header[..HashedBytes]).AsSpan().SequenceEqual(header[HashedBytes..]))
            problem = "its header is damaged";
        else if (fileBytes != bytes)
            problem = $"the file is cut off or was added to: {bytes} bytes, written with {fileBytes}";
        else if (length < 2 || length > MostIndexBytes || offset < HeaderBytes || offset > bytes - length)
            problem = $"its index of {length} bytes at byte {offset} does not lie in its {bytes} bytes";
        if (problem is not null)
            return default;
        var index = new ReadOnlySpan<byte>(file + offset, (int)length);
        if (SHA256.HashData(index).AsSpan().SequenceEqual(header.Slice(40, 32)))
            return index;
        problem = "its index is damaged";
        return default;
    }
}
