using System.Numerics;
using System.Text;
using System.Text.Unicode;

namespace Portable.Checkpoints;

/// <summary>
/// One GGUF file of version 2 or 3, mapped: header, metadata, tensor entries, then aligned data
/// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Checked whole when opened.
/// </summary>
internal sealed unsafe class GgufFile : IDisposable
{
    private const int MaximumKeyBytes = 65535;
    private const int MaximumNameBytes = 64;
    private const int MaximumDimensions = 4;
    private const int DefaultAlignment = 32;
    private const string AlignmentKey = "general.alignment";
    private readonly MappedFile _file;

    private GgufFile(MappedFile file, ReadOnlySpan<byte> bytes)
    {
        _file = file;
        var reader = new GgufReader(bytes, file.Path);
        Version = ReadVersion(ref reader, bytes);
        // The least entry: an empty name, no dimensions. The least pair: a key of one byte, a value of one.
        int tensorCount = reader.Count("tensor count", 24);
        int keyCount = reader.Count("metadata count", 14);
        Metadata = ReadMetadata(ref reader, bytes, keyCount, file.Path);
        Alignment = ReadAlignment();
        List<Entry> entries = ReadEntries(ref reader, tensorCount);
        DataStart = tensorCount == 0 ? null : (reader.Position + (long)Alignment - 1) / Alignment * Alignment;
        Tensors = Place(entries);
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path => _file.Path;

    /// <summary>2 or 3.</summary>
    public uint Version { get; }

    /// <summary>The metadata.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>What tensor offsets are multiples of.</summary>
    public uint Alignment { get; }

    /// <summary>The position of the data; null without tensors.</summary>
    public long? DataStart { get; }

    /// <summary>All tensors, in the order of the file's entries.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>Maps a file and checks it.</summary>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            using MappedFile.Lease lease = file.Acquire();
            return new GgufFile(file, new ReadOnlySpan<byte>(lease.Pointer, (int)Math.Min(file.Length, int.MaxValue)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Metadata from its pairs alone, as they lie in a file.</summary>
    public static GgufMetadata ParseMetadata(string path, byte[] pairs, int count)
    {
        var reader = new GgufReader(pairs, path);
        return ReadMetadata(ref reader, pairs, count, path);
    }

    /// <summary>Whether a file begins as a GGUF file does; false also where it cannot be read.</summary>
    public static bool HasMagic(string path)
    {
        try
        {
            if (FileLength.Of(path) == 0)
                return false;
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            Span<byte> magic = stackalloc byte[4];
            return stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.SequenceEqual("GGUF"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private readonly record struct Entry(string Name, long[] Shape, GgufTensorType Type, ulong Offset, long Bytes);

    private static uint ReadVersion(ref GgufReader reader, ReadOnlySpan<byte> bytes)
    {
        reader.UInt32("magic");
        if (!bytes[..4].SequenceEqual("GGUF"u8))
            throw reader.Error($"not a GGUF file: it begins with the bytes {Convert.ToHexString(bytes[..4])}, expected 47475546 (\"GGUF\")");
        uint version = reader.UInt32("version");
        if (version is 2 or 3)
            return version;
        uint swapped = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(version);
        if (swapped is > 0 and < 256)
            throw new UnsupportedException($"big-endian GGUF ({reader.Error($"version {swapped}").Message.TrimEnd('.')})", "only little-endian files are read; convert it with gguf_convert_endian of the gguf package");
        throw new UnsupportedException($"GGUF version {version} ({reader.Error("expected version 2 or 3").Message.TrimEnd('.')})", "convert the model again with a current converter");
    }

    private static GgufMetadata ReadMetadata(ref GgufReader reader, ReadOnlySpan<byte> bytes, int count, string file)
    {
        int start = reader.Position;
        var places = new List<(string Key, GgufValueType Type, int Start)>();
        var values = new Dictionary<string, GgufValue>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            reader.Where = $"metadata pair {i}";
            ReadOnlySpan<byte> key = reader.String("key");
            if (key.IsEmpty || key.Length > MaximumKeyBytes)
                throw reader.Error($"the key has {key.Length} bytes, expected 1 to {MaximumKeyBytes}");
            if (!Utf8.IsValid(key))
                throw reader.Error($"the key is not valid UTF-8: bytes {Convert.ToHexString(key[..Math.Min(key.Length, 32)])}");
            string name = Encoding.UTF8.GetString(key);
            reader.Where = name;
            if (!values.TryAdd(name, default))
                throw reader.Error("the metadata key occurs twice");
            GgufValueType type = reader.ValueType("value type");
            places.Add((name, type, reader.Position - start));
            reader.SkipValue(type);
        }

        reader.Where = null;
        // A copy, so that values need no mapping; it is small beside the tensors.
        ReadOnlyMemory<byte> copy = bytes[start..reader.Position].ToArray();
        foreach ((string key, GgufValueType type, int position) in places)
            values[key] = GgufValue.Read(type, copy[position..], out _);
        return new GgufMetadata(file, places.ConvertAll(static p => p.Key), values, copy);
    }

    private uint ReadAlignment()
    {
        if (!Metadata.TryGet(AlignmentKey, out GgufValue value))
            return DefaultAlignment;
        if (value.Type != GgufValueType.UInt32)
            throw new InvalidModelException(_file.Path, AlignmentKey, $"the type is {value.Type}, expected UInt32");
        uint alignment = (uint)value.Integer();
        return BitOperations.IsPow2(alignment) ? alignment : throw new InvalidModelException(
            _file.Path, AlignmentKey, $"found {alignment}, expected a power of two");
    }

    private static List<Entry> ReadEntries(ref GgufReader reader, int count)
    {
        var entries = new List<Entry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            reader.Where = $"tensor entry {i}";
            ReadOnlySpan<byte> bytes = reader.String("tensor name");
            if (bytes.Length > MaximumNameBytes)
                throw reader.Error($"the name has {bytes.Length} bytes, expected at most {MaximumNameBytes}");
            if (!Utf8.IsValid(bytes))
                throw reader.Error($"the name is not valid UTF-8: bytes {Convert.ToHexString(bytes)}");
            string name = Encoding.UTF8.GetString(bytes);
            reader.Where = name;
            if (!names.Add(name))
                throw reader.Error("the tensor name occurs twice");
            uint dimensions = reader.UInt32("dimension count");
            if (dimensions > MaximumDimensions)
                throw reader.Error($"the tensor has {dimensions} dimensions, expected at most {MaximumDimensions}");
            // The file lists the fastest dimension first.
            var shape = new long[dimensions];
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                ulong dimension = reader.UInt64("dimension");
                shape[d] = dimension <= long.MaxValue ? (long)dimension : throw reader.Error($"a dimension is {dimension}, more than 2^63 - 1");
            }

            uint id = reader.UInt32("type");
            GgufTensorType type = GgufTensorType.Find(id) ?? throw reader.Error($"the type is {id}, which is unknown or was removed from the format");
            entries.Add(new Entry(name, shape, type, reader.UInt64("offset"), BytesOf(ref reader, shape, type)));
        }

        reader.Where = null;
        return entries;
    }

    private static long BytesOf(ref GgufReader reader, long[] shape, GgufTensorType type)
    {
        long rowValues = shape.Length == 0 ? 1 : shape[^1];
        if (rowValues % type.BlockValues != 0)
            throw reader.Error($"a row of {rowValues} values is not a whole number of {type.Name} blocks of {type.BlockValues}");
        if (shape.Contains(0))
            return 0;
        // Values first: their number is used too, and blocks may hold more values than bytes.
        long values = 1;
        foreach (long dimension in shape)
            values = values <= long.MaxValue / dimension ? values * dimension : throw Overflow(ref reader);
        long blocks = values / type.BlockValues;
        return blocks <= long.MaxValue / type.BlockBytes ? blocks * type.BlockBytes : throw Overflow(ref reader);

        InvalidModelException Overflow(ref GgufReader at) => at.Error($"shape [{string.Join(", ", shape)}] of {type.Name} overflows 64 bits");
    }

    private CheckpointTensor[] Place(List<Entry> entries)
    {
        var tensors = new CheckpointTensor[entries.Count];
        for (int i = 0; i < tensors.Length; i++)
        {
            Entry entry = entries[i];
            if (entry.Offset % Alignment != 0)
                throw new InvalidModelException(Path, entry.Name, $"the offset {entry.Offset} is not a multiple of the alignment {Alignment}");
            long room = _file.Length - DataStart!.Value;
            if (room < entry.Bytes || entry.Offset > (ulong)(room - entry.Bytes))
            {
                throw new InvalidModelException(
                    Path, entry.Name, $"truncated, or the offset lies: {entry.Bytes} bytes of {entry.Type.Name} at offset {entry.Offset} of the data, which is to begin at byte {DataStart}; the file has {_file.Length} bytes");
            }

            tensors[i] = new CheckpointTensor(entry.Name, entry.Shape, entry.Type.Name, _file, DataStart.Value + (long)entry.Offset, entry.Bytes);
        }

        // Gaps and another order are legal, overlaps are not.
        CheckpointTensor? before = null;
        foreach (CheckpointTensor tensor in tensors.Where(static t => t.Bytes > 0).OrderBy(static t => t.Position))
        {
            if (before is not null && tensor.Position < before.Position + before.Bytes)
            {
                throw new InvalidModelException(
                    Path, tensor.Name, $"its data at byte {tensor.Position} overlaps that of {before.Name}, which ends at {before.Position + before.Bytes}");
            }

            before = tensor;
        }

        return tensors;
    }
}
