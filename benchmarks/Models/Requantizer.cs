using System.Buffers.Binary;
using Portable.Checkpoints;

namespace Portable.Benchmarks.Models;

/// <summary>Makes a Q4_0 file of a Q4_1 one by llama.cpp's rule; other tensors and the metadata are copied.</summary>
internal static unsafe class Requantizer
{
    private const int Block = 32, BlockBytes = 18;

    public static void Write(string source, string path)
    {
        using Checkpoint checkpoint = Checkpoint.Open(source);
        GgufMetadata metadata = checkpoint.Metadata ?? throw new ArgumentException($"{source} is not a GGUF file", nameof(source));
        var writer = new GgufWriter();
        foreach (string key in metadata.Keys)
        {
            metadata.TryGet(key, out GgufValue value);
            if (key == "general.file_type")
                writer.Add(key, 2u);
            else
                writer.Add(key, value);
        }

        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            bool remade = tensor.Type == "Q4_1";
            writer.AddTensor(tensor.Name, [.. tensor.Shape], remade ? "Q4_0" : tensor.Type, stream =>
            {
                if (remade)
                    Quantize(checkpoint, tensor, stream);
                else
                    Copy(tensor, stream);
            });
        }

        writer.Write(path);
    }

    private static void Copy(CheckpointTensor tensor, Stream stream)
    {
        using MappedFile.Lease lease = tensor.Source.Acquire();
        stream.Write(new ReadOnlySpan<byte>(lease.Pointer + tensor.Position, checked((int)tensor.Bytes)));
    }

    private static void Quantize(Checkpoint checkpoint, CheckpointTensor tensor, Stream stream)
    {
        const string Suffix = ".weight";
        using WeightMatrix matrix = checkpoint.ReadMatrix(tensor.Name[..^Suffix.Length]);
        var row = new float[matrix.Columns];
        Span<byte> block = stackalloc byte[BlockBytes];
        for (int i = 0; i < matrix.Rows; i++)
        {
            matrix.DequantizeRow(i, row);
            for (int at = 0; at < row.Length; at += Block)
            {
                Quantize(row.AsSpan(at, Block), block);
                stream.Write(block);
            }
        }
    }

    // The weight farthest from zero becomes code 0, that is -8, whatever its sign: the scale has the opposite one.
    private static void Quantize(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float farthest = 0;
        foreach (float weight in weights)
            farthest = MathF.Abs(weight) > MathF.Abs(farthest) ? weight : farthest;
        float scale = farthest / -8, inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (int i = 0; i < Block / 2; i++)
            block[2 + i] = (byte)(Code(weights[i]) | (Code(weights[i + (Block / 2)]) << 4));

        int Code(float weight) => Math.Min(15, (int)((weight * inverse) + 8.5f));
    }
}
