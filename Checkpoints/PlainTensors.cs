using System.Runtime.InteropServices;

namespace Portable.Checkpoints;

/// <summary>The tensors that both formats store alike and name alike: F32, F16, BF16, little-endian and row-major.</summary>
internal static unsafe class PlainTensors
{
    /// <summary>The canonical encoding of a type, or null where it is not a plain float.</summary>
    public static WeightEncoding? Encoding(string type) => type switch
    {
        "F32" => WeightEncoding.Float32,
        "F16" => WeightEncoding.Float16,
        "BF16" => WeightEncoding.BFloat16,
        _ => null,
    };

    /// <summary>A matrix over the mapped file itself; copied only where the file left the elements unaligned.</summary>
    public static WeightMatrix Matrix(CheckpointTensor tensor, WeightEncoding encoding)
    {
        (int rows, int columns) = tensor.MatrixShape();
        return Matrix(tensor, encoding, rows, columns, 0);
    }

    /// <summary>As <see cref="Matrix(CheckpointTensor, WeightEncoding)"/>, of one expert of a tensor [experts, outputs, inputs].</summary>
    public static WeightMatrix Expert(CheckpointTensor tensor, WeightEncoding encoding, int expert)
    {
        (int rows, int columns) = tensor.ExpertShape(expert);
        return Matrix(tensor, encoding, rows, columns, (long)expert * rows * new WeightFormat(encoding).RowBytes(columns));
    }

    /// <summary>All values of a tensor as float32, which holds each of the three types exactly.</summary>
    public static float[] Values(CheckpointTensor tensor)
    {
        WeightEncoding encoding = Encoding(tensor.Type) ?? throw new UnsupportedException(
            $"type {tensor.Type} of tensor {tensor.Name} in {tensor.File}", "vectors are read from F32, F16 and BF16");
        if (tensor.Bytes > int.MaxValue)
            throw new UnsupportedException($"tensor {tensor.Name} in {tensor.File} as a vector", $"it has {tensor.Bytes:N0} bytes, at most {int.MaxValue:N0} are read at once");
        float[] values = new float[tensor.Elements];
        using MappedFile.Lease lease = tensor.Source.Acquire();
        var bytes = new ReadOnlySpan<byte>(lease.Pointer + tensor.Position, (int)tensor.Bytes);
        ToFloat32(bytes, encoding, values);
        return values;
    }

    /// <summary>Widens little-endian elements of a plain type.</summary>
    public static void ToFloat32(ReadOnlySpan<byte> source, WeightEncoding encoding, Span<float> destination)
    {
        switch (encoding)
        {
            case WeightEncoding.Float32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case WeightEncoding.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = (float)halves[i];
                break;
            default:
                ReadOnlySpan<ushort> uppers = MemoryMarshal.Cast<byte, ushort>(source);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)uppers[i] << 16);
                break;
        }
    }

    private static WeightMatrix Matrix(CheckpointTensor tensor, WeightEncoding encoding, int rows, int columns, long offset)
    {
        using MappedFile.Lease lease = tensor.Source.Acquire();
        byte* data = lease.Pointer + tensor.Position + offset;
        var format = new WeightFormat(encoding);
        if ((nuint)data % (uint)(format.Bits / 8) == 0)
            return WeightMatrix.Borrow(tensor.Name, rows, columns, encoding, data);

        WeightMatrix matrix = WeightMatrix.Allocate(tensor.Name, rows, columns, format);
        int rowBytes = (int)format.RowBytes(columns);
        for (int row = 0; row < rows; row++)
            new ReadOnlySpan<byte>(data + ((long)row * rowBytes), rowBytes).CopyTo(matrix.Codes(row));
        return matrix;
    }
}
