namespace Portable;

/// <summary>
/// A weight as <see cref="Device.WriteWeight"/> wrote it, lying in read-only memory such as a mapped file. It owns
/// nothing: whoever maps it keeps the memory until the <see cref="DeviceWeight"/> made of it has been disposed of.
/// What it holds is untrusted; the device checks every size in it before use.
/// </summary>
public readonly unsafe struct WeightImage
{
    /// <summary>Every image begins at a multiple of this many bytes.</summary>
    public const int Alignment = 64;

    /// <summary>Describes an image.</summary>
    /// <param name="file">The file that holds it, for errors.</param>
    /// <param name="name">Which weight it is, for errors.</param>
    /// <param name="data">The first byte; a multiple of <see cref="Alignment"/>.</param>
    /// <param name="bytes">The size.</param>
    public WeightImage(string file, string name, byte* data, long bytes)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if ((nuint)data % Alignment != 0)
            throw new ArgumentException($"an image begins at a multiple of {Alignment} bytes", nameof(data));
        File = file;
        Name = name;
        Data = data;
        Bytes = bytes;
    }

    /// <summary>The file that holds it.</summary>
    public string File { get; }

    /// <summary>Which weight it is.</summary>
    public string Name { get; }

    /// <summary>The first byte.</summary>
    public byte* Data { get; }

    /// <summary>The size.</summary>
    public long Bytes { get; }
}
