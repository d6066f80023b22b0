using System.Text;

namespace Portable.Checkpoints.Tests;

/// <summary>Writes small safetensors files for tests.</summary>
internal sealed class SafetensorsBuilder
{
    private readonly StringBuilder _header = new("{\"__metadata__\":{\"format\":\"pt\"}");
    private readonly MemoryStream _data = new();

    public SafetensorsBuilder Tensor(string name, string type, byte[] data, params long[] shape)
    {
        _header.Append(System.Globalization.CultureInfo.InvariantCulture,
            $",\"{name}\":{{\"dtype\":\"{type}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{_data.Length},{_data.Length + data.Length}]}}");
        _data.Write(data);
        return this;
    }

    /// <summary>The file; its data begins at a multiple of 8, or one byte after it.</summary>
    public byte[] Build(bool unaligned = false)
    {
        string header = _header + "}";
        header = header.PadRight(((header.Length + 7) / 8 * 8) + (unaligned ? 1 : 0));
        return [.. BitConverter.GetBytes((ulong)header.Length), .. Encoding.UTF8.GetBytes(header), .. _data.ToArray()];
    }
}
