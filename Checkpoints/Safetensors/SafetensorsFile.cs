using System.Buffers.Binary;
using System.Text.Unicode;

namespace Portable.Checkpoints;

/// <summary>
/// A safetensors file, mapped: an unsigned 64-bit header length, a JSON header, then the data of all tensors without a
/// hole (https://huggingface.co/docs/safetensors). Checked whole when opened; a tensor named twice, which the reference
/// library takes, is refused, since two readers would choose different ones.
/// </summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private const int LengthBytes = 8;

    // The limit of the reference library.
    private const long MaximumHeaderBytes = 100_000_000;

    private readonly MappedFile _file;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header, long dataStart)
    {
        _file = file;
        Metadata = header.Metadata;
        Tensors = CheckPlaces(file, header.Tensors, dataStart);
    }

    /// <summary>The header's <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>All tensors, in the order of their data.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>Maps a file and checks its header.</summary>
    public static SafetensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            using MappedFile.Lease lease = file.Acquire();
            if (file.Length < LengthBytes)
                throw new InvalidModelException(path, null, $"truncated: the file has {file.Length} bytes, the header length alone needs {LengthBytes}");
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(lease.Pointer, LengthBytes));
            long left = file.Length - LengthBytes;
            if (length > (ulong)left)
                throw new InvalidModelException(path, null, $"truncated, or not a safetensors file: the header is said to have {length} bytes, the file has {left} after its length");
            if (length > MaximumHeaderBytes)
                throw new InvalidModelException(path, null, $"the header has {length} bytes, at most {MaximumHeaderBytes} are allowed");
            var json = new ReadOnlySpan<byte>(lease.Pointer + LengthBytes, (int)length);
            if (json.Length < 2 || json[0] != (byte)'{')
                throw new InvalidModelException(path, null, $"the header of {length} bytes is not a JSON object that begins with '{{'");
            if (!Utf8.IsValid(json))
                throw new InvalidModelException(path, null, "the header is not valid UTF-8");
            return new SafetensorsFile(file, SafetensorsHeader.Read(path, json), LengthBytes + (long)length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static CheckpointTensor[] CheckPlaces(MappedFile file, List<SafetensorsHeader.Entry> entries, long dataStart)
    {
        long dataBytes = file.Length - dataStart;
        entries.Sort(static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        var tensors = new CheckpointTensor[entries.Count];
        long end = 0;
        for (int i = 0; i < tensors.Length; i++)
        {
            SafetensorsHeader.Entry entry = entries[i];
            if (entry.Begin > entry.End || entry.End > dataBytes)
            {
                throw new InvalidModelException(
                    file.Path, entry.Name, $"data_offsets are [{entry.Begin}, {entry.End}], the file holds {dataBytes} bytes of data; it is truncated or lies");
            }

            if (entry.Begin != end)
            {
                throw new InvalidModelException(
                    file.Path, entry.Name, $"data_offsets are [{entry.Begin}, {entry.End}], expected to begin at {end} where the data before ends (no holes, no overlaps)");
            }

            long bytes = BytesOf(file.Path, entry);
            if (bytes != entry.End - entry.Begin)
            {
                throw new InvalidModelException(
                    file.Path, entry.Name, $"shape [{string.Join(", ", entry.Shape)}] of {entry.Type} needs {bytes} bytes, data_offsets hold {entry.End - entry.Begin}");
            }

            tensors[i] = new CheckpointTensor(entry.Name, entry.Shape, entry.Type, file, dataStart + entry.Begin, bytes);
            end = entry.End;
        }

        return end == dataBytes ? tensors : throw new InvalidModelException(
            file.Path, null, $"the tensors cover {end} bytes of data, the file holds {dataBytes}");
    }

    private static long BytesOf(string path, SafetensorsHeader.Entry entry)
    {
        int elementBits = SafetensorsTypes.Bits(entry.Type)
            ?? throw new InvalidModelException(path, entry.Name, $"dtype is \"{entry.Type}\", which the format does not have");
        if (entry.Shape.Contains(0))
            return 0;
        long bits = elementBits;
        foreach (long dimension in entry.Shape)
        {
            if (bits > long.MaxValue / dimension)
                throw new InvalidModelException(path, entry.Name, $"shape [{string.Join(", ", entry.Shape)}] of {entry.Type} overflows 64 bits");
            bits *= dimension;
        }

        return bits % 8 == 0 ? bits / 8 : throw new InvalidModelException(
            path, entry.Name, $"shape [{string.Join(", ", entry.Shape)}] of {entry.Type} is {bits} bits, not whole bytes");
    }
}
