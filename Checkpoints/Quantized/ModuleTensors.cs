using System.Buffers.Binary;

namespace Portable.Checkpoints;

/// <summary>The tensors of one quantised module, with the checks that layouts share.</summary>
internal readonly unsafe struct ModuleTensors(SafetensorsCheckpoint checkpoint, string module)
{
    private static readonly string[] Integers = ["I32", "U32"];

    /// <summary>The types of scales that are plain floats.</summary>
    public static string[] Floats { get; } = ["F16", "BF16", "F32"];

    /// <summary>The checkpoint.</summary>
    public SafetensorsCheckpoint Checkpoint => checkpoint;

    /// <summary>A tensor that must exist, of one of some types and of two dimensions, neither of them 0.</summary>
    public CheckpointTensor Matrix(string name, params ReadOnlySpan<string> types)
    {
        CheckpointTensor tensor = checkpoint.RequiredMatrix(Full(name), types);
        return tensor.Elements > 0 ? tensor : throw Wrong(tensor, "no dimension of 0");
    }

    /// <summary>Packed 32-bit words that must exist.</summary>
    public CheckpointTensor Words(string name) => Matrix(name, Integers);

    /// <summary>A tensor that may be absent, of one of some types.</summary>
    public CheckpointTensor? Optional(string name, params ReadOnlySpan<string> types)
    {
        if (!checkpoint.TryGetTensor(Full(name), out CheckpointTensor? tensor))
            return null;
        return types.Contains(tensor.Type) ? tensor : throw new InvalidModelException(
            tensor.File, tensor.Name, $"the type is {tensor.Type}, expected {string.Join(" or ", types!)}");
    }

    /// <summary>A tensor that must exist, of one of some types.</summary>
    public CheckpointTensor Required(string name, params ReadOnlySpan<string> types) =>
        Optional(name, types) ?? throw new InvalidModelException(checkpoint.Path, Full(name), "the tensor is missing; the module's other tensors need it");

    /// <summary>The group of each column, -1 … -1 counting as absent; null where there is no such tensor.</summary>
    public int[]? GroupIndex(string name, int columns, int groups)
    {
        if (Optional(name, Integers) is not { } tensor)
            return null;
        if (tensor.Elements != columns)
            throw Wrong(tensor, $"[{columns}], one group for each input");
        int[] index = new int[columns];
        Bytes(tensor, (data, _) =>
        {
            for (int k = 0; k < index.Length; k++)
                index[k] = BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(data + (4L * k), 4));
        });
        if (Array.TrueForAll(index, static group => group == -1))
            return null;
        int wrong = Array.FindIndex(index, group => (uint)group >= (uint)groups);
        return wrong < 0 ? index : throw new InvalidModelException(
            tensor.File, tensor.Name, $"input {wrong} is in group {index[wrong]}, expected 0 … {groups - 1}");
    }

    /// <summary>The index, or null where it only says that groups of this size follow each other.</summary>
    public static int[]? UnlessNeighbours(int[]? index, int groupSize)
    {
        for (int k = 0; index is not null && k < index.Length; k++)
        {
            if (index[k] != k / groupSize)
                return index;
        }

        return null;
    }

    /// <summary>Gives the data of a tensor to an action, and the number of its bytes.</summary>
    public static void Bytes(CheckpointTensor tensor, ReadBytes read)
    {
        using MappedFile.Lease lease = tensor.Source.Acquire();
        read(lease.Pointer + tensor.Position, tensor.Bytes);
    }

    /// <summary>Requires a shape.</summary>
    public static void Expect(CheckpointTensor tensor, CheckpointTensor codes, params ReadOnlySpan<long> shape)
    {
        if (!shape.SequenceEqual([.. tensor.Shape]))
            throw Wrong(tensor, $"[{string.Join(", ", shape.ToArray())}] beside {codes.Name} of [{string.Join(", ", codes.Shape)}]");
    }

    /// <summary>The error for a shape.</summary>
    public static InvalidModelException Wrong(CheckpointTensor tensor, string expected) =>
        new(tensor.File, tensor.Name, $"the shape is [{string.Join(", ", tensor.Shape)}], expected {expected}");

    private string Full(string name) => SafetensorsCheckpoint.TensorName(module, name);

    /// <summary>Reads data that stays mapped during the call.</summary>
    internal delegate void ReadBytes(byte* data, long bytes);
}
