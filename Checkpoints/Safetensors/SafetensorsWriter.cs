using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using IOPath = System.IO.Path;

namespace Portable.Checkpoints;

/// <summary>A tensor to be written.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Type">The type as the format names it: F16, BF16, I32 …</param>
/// <param name="Shape">The dimensions, slowest first.</param>
/// <param name="Bytes">Bytes of its data.</param>
/// <param name="Write">Writes exactly so many bytes, little-endian, row-major; called once, when its turn comes.</param>
public sealed record SafetensorsEntry(string Name, string Type, IReadOnlyList<long> Shape, long Bytes, Action<Stream> Write);

/// <summary>
/// Writes safetensors files (https://huggingface.co/docs/safetensors): tensor after tensor, so that one of them is in memory at a time.
/// A file appears under its name only when it is whole. Thread-safe, without state.
/// </summary>
public static class SafetensorsWriter
{
    private const string Suffix = ".partial";
    private const int Alignment = 8;

    /// <summary>Writes the weights of a model folder: model.safetensors, or shards and their index where they are larger than a shard may be.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="entries">The tensors, in order; names are unique.</param>
    /// <param name="shardBytes">Most bytes of data in one file; a larger tensor gets a file of its own.</param>
    /// <param name="cancellation">Stops between two tensors; nothing half-written stays.</param>
    /// <exception cref="IOException">The disk is full or the folder cannot be written.</exception>
    /// <exception cref="ArgumentException">A name occurs twice, or a tensor wrote another number of bytes than it said.</exception>
    public static void WriteModel(string folder, IReadOnlyList<SafetensorsEntry> entries, long shardBytes, CancellationToken cancellation)
    {
        List<List<SafetensorsEntry>> shards = [[]];
        long size = 0;
        foreach (SafetensorsEntry entry in entries)
        {
            if (size > 0 && size + entry.Bytes > shardBytes)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(entry);
            size += entry.Bytes;
        }

        string Name(int shard) => shards.Count == 1
            ? "model.safetensors"
            : string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:00000}-of-{shards.Count:00000}.safetensors");
        for (int i = 0; i < shards.Count; i++)
            Write(IOPath.Combine(folder, Name(i)), shards[i], cancellation);
        if (shards.Count > 1)
            WriteIndex(folder, shards, Name);
    }

    /// <summary>Writes one file.</summary>
    /// <inheritdoc cref="WriteModel" path="/exception"/>
    public static void Write(string path, IReadOnlyList<SafetensorsEntry> entries, CancellationToken cancellation)
    {
        byte[] header = Header(entries);
        string partial = path + Suffix;
        try
        {
            using (var stream = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                stream.Write(header);
                foreach (SafetensorsEntry entry in entries)
                {
                    cancellation.ThrowIfCancellationRequested();
                    long before = stream.Position;
                    entry.Write(stream);
                    if (stream.Position - before != entry.Bytes)
                        throw new ArgumentException($"tensor {entry.Name} wrote {stream.Position - before} bytes, expected {entry.Bytes}", nameof(entries));
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    private static byte[] Header(IReadOnlyList<SafetensorsEntry> entries)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long offset = 0;
            foreach (SafetensorsEntry entry in entries)
            {
                if (!names.Add(entry.Name))
                    throw new ArgumentException($"tensor {entry.Name} occurs twice", nameof(entries));
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.Type);
                json.WriteStartArray("shape");
                foreach (long dimension in entry.Shape)
                    json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += entry.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces after the JSON, so that the data begins at a multiple of 8 as the reference library has it.
        int length = (buffer.WrittenCount + Alignment - 1) / Alignment * Alignment;
        byte[] header = new byte[sizeof(ulong) + length];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        buffer.WrittenSpan.CopyTo(header.AsSpan(sizeof(ulong)));
        return header;
    }

    private static void WriteIndex(string folder, List<List<SafetensorsEntry>> shards, Func<int, string> name)
    {
        string path = IOPath.Combine(folder, SafetensorsIndex.FileName), partial = path + Suffix;
        using (FileStream stream = File.Create(partial))
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", shards.Sum(s => s.Sum(e => e.Bytes)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            for (int i = 0; i < shards.Count; i++)
            {
                foreach (SafetensorsEntry entry in shards[i])
                    json.WriteString(entry.Name, name(i));
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        File.Move(partial, path, overwrite: true);
    }
}
