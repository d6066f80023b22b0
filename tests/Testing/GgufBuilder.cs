using System.Text;
using Portable.Checkpoints;

namespace Portable.Testing;

/// <summary>Writes small GGUF files for tests.</summary>
public sealed class GgufBuilder
{
    private const int Alignment = 32;
    private readonly List<byte[]> _pairs = [];
    private readonly List<(string Name, long[] Dimensions, uint Type, byte[] Data)> _tensors = [];

    /// <summary>Adds a string.</summary>
    public GgufBuilder String(string key, string value) => Pair(key, GgufValueType.String, w => Text(w, value));

    /// <summary>Adds a uint32.</summary>
    public GgufBuilder UInt32(string key, uint value) => Pair(key, GgufValueType.UInt32, w => w.Write(value));

    /// <summary>Adds a uint16.</summary>
    public GgufBuilder UInt16(string key, ushort value) => Pair(key, GgufValueType.UInt16, w => w.Write(value));

    /// <summary>Adds a float32.</summary>
    public GgufBuilder Float32(string key, float value) => Pair(key, GgufValueType.Float32, w => w.Write(value));

    /// <summary>Adds an int64.</summary>
    public GgufBuilder Int64(string key, long value) => Pair(key, GgufValueType.Int64, w => w.Write(value));

    /// <summary>Adds a bool.</summary>
    public GgufBuilder Boolean(string key, bool value) => Pair(key, GgufValueType.Boolean, w => w.Write(value));

    /// <summary>Adds an array of int32.</summary>
    public GgufBuilder Int32s(string key, params int[] values) => Pair(key, GgufValueType.Array, w =>
    {
        w.Write((uint)GgufValueType.Int32);
        w.Write((ulong)values.Length);
        Array.ForEach(values, w.Write);
    });

    /// <summary>Adds an array of float32.</summary>
    public GgufBuilder Float32s(string key, params float[] values) => Pair(key, GgufValueType.Array, w =>
    {
        w.Write((uint)GgufValueType.Float32);
        w.Write((ulong)values.Length);
        Array.ForEach(values, w.Write);
    });

    /// <summary>Adds an array of bools.</summary>
    public GgufBuilder Booleans(string key, params bool[] values) => Pair(key, GgufValueType.Array, w =>
    {
        w.Write((uint)GgufValueType.Boolean);
        w.Write((ulong)values.Length);
        Array.ForEach(values, w.Write);
    });

    /// <summary>Adds an array of strings.</summary>
    public GgufBuilder Strings(string key, params byte[][] values) => Pair(key, GgufValueType.Array, w =>
    {
        w.Write((uint)GgufValueType.String);
        w.Write((ulong)values.Length);
        foreach (byte[] value in values)
        {
            w.Write((ulong)value.Length);
            w.Write(value);
        }
    });

    /// <summary>Adds a tensor of float32; dimensions in the file's order, the fastest first.</summary>
    public GgufBuilder Floats(string name, float[] values, params long[] dimensions) =>
        Tensor(name, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray(), dimensions);

    /// <summary>Adds a tensor; dimensions in the file's order, the fastest first.</summary>
    public GgufBuilder Tensor(string name, uint type, byte[] data, params long[] dimensions)
    {
        _tensors.Add((name, dimensions, type, data));
        return this;
    }

    /// <summary>The file.</summary>
    public byte[] Build()
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_pairs.Count);
        _pairs.ForEach(writer.Write);
        long offset = 0;
        foreach ((string name, long[] dimensions, uint type, byte[] data) in _tensors)
        {
            Text(writer, name);
            writer.Write((uint)dimensions.Length);
            Array.ForEach(dimensions, writer.Write);
            writer.Write(type);
            writer.Write(offset);
            offset += (data.Length + Alignment - 1) / Alignment * Alignment;
        }

        foreach ((_, _, _, byte[] data) in _tensors)
        {
            writer.Write(new byte[(Alignment - (memory.Length % Alignment)) % Alignment]);
            writer.Write(data);
        }

        return memory.ToArray();
    }

    private static void Text(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private GgufBuilder Pair(string key, GgufValueType type, Action<BinaryWriter> value)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        Text(writer, key);
        writer.Write((uint)type);
        value(writer);
        writer.Flush();
        _pairs.Add(memory.ToArray());
        return this;
    }
}
