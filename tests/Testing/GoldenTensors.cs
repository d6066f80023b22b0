using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Portable.Testing;

/// <summary>
/// A plain reader of golden.safetensors files, kept apart from the product's own reader so that a fault in the one
/// cannot hide in the other. Trusts its input.
/// </summary>
public sealed class GoldenTensors
{
    private readonly byte[] _file;
    private readonly Dictionary<string, (string Type, long[] Shape, int Start, int End)> _tensors = [];

    /// <summary>Reads the whole file into memory.</summary>
    public GoldenTensors(string path)
    {
        _file = Fixtures.Bytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(_file);
        using JsonDocument json = JsonDocument.Parse(Encoding.UTF8.GetString(_file, 8, header));
        foreach (JsonProperty tensor in json.RootElement.EnumerateObject())
        {
            if (tensor.Name == "__metadata__")
                continue;
            JsonElement offsets = tensor.Value.GetProperty("data_offsets");
            _tensors[tensor.Name] = (
                tensor.Value.GetProperty("dtype").GetString()!,
                [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                8 + header + offsets[0].GetInt32(),
                8 + header + offsets[1].GetInt32());
        }
    }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Whether the tensor exists.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>The shape, slowest dimension first.</summary>
    public long[] Shape(string name) => _tensors[name].Shape;

    /// <summary>The type as written in the file: F32, I64, U8 …</summary>
    public string Type(string name) => _tensors[name].Type;

    /// <summary>The bytes of a tensor.</summary>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        (_, _, int start, int end) = _tensors[name];
        return _file.AsSpan(start, end - start);
    }

    /// <summary>The values of a float32 tensor.</summary>
    public float[] Floats(string name) => Typed<float>(name, "F32");

    /// <summary>The values of an int32 or int64 tensor, as int.</summary>
    public int[] Ints(string name) => Type(name) == "I32"
        ? Typed<int>(name, "I32")
        : [.. Typed<long>(name, "I64").Select(v => checked((int)v))];

    private T[] Typed<T>(string name, string type) where T : unmanaged
    {
        if (_tensors[name].Type != type)
            throw new InvalidOperationException($"{name} is {_tensors[name].Type}, not {type}");
        return MemoryMarshal.Cast<byte, T>(Bytes(name)).ToArray();
    }
}
