using System.Text;
using Portable.Checkpoints;

namespace Portable.Benchmarks.Models;

/// <summary>
/// Writes a GGUF file of version 3: what it holds is described first, and its tensors are then made one after another
/// straight into the file, so that models larger than memory can be written.
/// </summary>
internal sealed class GgufWriter
{
    private const int Alignment = 32;
    private readonly List<byte[]> _pairs = [];
    private readonly List<TensorEntry> _tensors = [];

    /// <summary>A tensor to write; its data are made when the file is.</summary>
    private sealed record TensorEntry(string Name, long[] Shape, GgufTensorType Type, Action<Stream> Write)
    {
        public long Bytes => Shape.Aggregate(1L, static (product, dimension) => product * dimension) / Type.BlockValues * Type.BlockBytes;
    }

    public void Add(string key, string value) => Pair(key, GgufValueType.String, w => Text(w, Encoding.UTF8.GetBytes(value)));

    public void Add(string key, uint value) => Pair(key, GgufValueType.UInt32, w => w.Write(value));

    public void Add(string key, float value) => Pair(key, GgufValueType.Float32, w => w.Write(value));

    public void Add(string key, bool value) => Pair(key, GgufValueType.Boolean, w => w.Write(value));

    public void Add(string key, int[] values) => Pair(key, GgufValueType.Array, w =>
    {
        Head(w, GgufValueType.Int32, values.Length);
        Array.ForEach(values, w.Write);
    });

    public void Add(string key, string[] values) => Pair(key, GgufValueType.Array, w =>
    {
        Head(w, GgufValueType.String, values.Length);
        foreach (string value in values)
            Text(w, Encoding.UTF8.GetBytes(value));
    });

    /// <summary>Copies a value of another file as it is stored there.</summary>
    public void Add(string key, GgufValue value) => Pair(key, value.Type, w =>
    {
        if (value.Type == GgufValueType.Array)
            Head(w, value.ElementType, value.Count);
        else if (value.Type == GgufValueType.String)
            w.Write((ulong)value.Bytes.Length);
        w.Write(value.Bytes.Span);
    });

    /// <summary>Adds a tensor of a shape with the slowest dimension first; <paramref name="write"/> gives exactly its bytes.</summary>
    public void AddTensor(string name, long[] shape, string type, Action<Stream> write) =>
        _tensors.Add(new TensorEntry(name, shape, GgufTensorType.Find(type)!, write));

    /// <summary>Writes the file; one that is not finished is never left under its name.</summary>
    public void Write(string path)
    {
        string unfinished = path + ".part";
        using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 20))
        using (var writer = new BinaryWriter(stream))
        {
            writer.Write("GGUF"u8);
            writer.Write(3u);
            writer.Write((ulong)_tensors.Count);
            writer.Write((ulong)_pairs.Count);
            _pairs.ForEach(writer.Write);
            long offset = 0;
            foreach (TensorEntry tensor in _tensors)
            {
                Text(writer, Encoding.UTF8.GetBytes(tensor.Name));
                writer.Write((uint)tensor.Shape.Length);
                foreach (long dimension in tensor.Shape.Reverse())
                    writer.Write(dimension);
                writer.Write(tensor.Type.Id);
                writer.Write(offset);
                offset = Aligned(offset + tensor.Bytes);
            }

            foreach (TensorEntry tensor in _tensors)
            {
                writer.Write(new byte[Aligned(stream.Position) - stream.Position]);
                long start = stream.Position;
                tensor.Write(stream);
                if (stream.Position - start != tensor.Bytes)
                    throw new InvalidOperationException($"{tensor.Name} has {stream.Position - start} bytes, expected {tensor.Bytes}");
            }
        }

        File.Move(unfinished, path, overwrite: true);
    }

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;

    private static void Head(BinaryWriter writer, GgufValueType element, int count)
    {
        writer.Write((uint)element);
        writer.Write((ulong)count);
    }

    private static void Text(BinaryWriter writer, byte[] text)
    {
        writer.Write((ulong)text.Length);
        writer.Write(text);
    }

    private void Pair(string key, GgufValueType type, Action<BinaryWriter> value)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory);
        Text(writer, Encoding.UTF8.GetBytes(key));
        writer.Write((uint)type);
        value(writer);
        writer.Flush();
        _pairs.Add(memory.ToArray());
    }
}
