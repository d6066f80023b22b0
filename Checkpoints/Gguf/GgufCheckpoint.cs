namespace Portable.Checkpoints;

/// <summary>A GGUF file, or all parts of a split one.</summary>
internal sealed unsafe class GgufCheckpoint : Checkpoint
{
    private readonly IReadOnlyList<GgufFile> _files;

    private GgufCheckpoint(string path, IReadOnlyList<GgufFile> files)
        : base(CheckpointKind.Gguf, path, [.. files.SelectMany(static file => file.Tensors)]) => _files = files;

    public override GgufMetadata Metadata => _files[0].Metadata;

    private protected override string? Architecture => Text("general.architecture");

    private protected override string? ModelName => Text("general.name");

    public static GgufCheckpoint OpenFile(string path)
    {
        IReadOnlyList<GgufFile> files = GgufSplit.Open(path);
        try
        {
            return new GgufCheckpoint(path, files);
        }
        catch
        {
            foreach (GgufFile file in files)
                file.Dispose();
            throw;
        }
    }

    public override bool HasMatrix(string module) => TryGetTensor(TensorName(module), out CheckpointTensor? tensor) && tensor.Shape.Count >= 2;

    public override MatrixInfo Describe(string module)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        (int rows, int columns) = tensor.MatrixShape();
        WeightFormat format = PlainTensors.Encoding(tensor.Type) is { } encoding ? new WeightFormat(encoding) : Blocks(tensor).Blocks!.Format;
        return new MatrixInfo(module, rows, columns, format, false, tensor.Name);
    }

    public override WeightMatrix ReadMatrix(string module)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        if (PlainTensors.Encoding(tensor.Type) is { } encoding)
            return PlainTensors.Matrix(tensor, encoding);
        GgufTensorType type = Blocks(tensor);
        (int rows, int columns) = tensor.MatrixShape();
        int rowBytes = columns / type.BlockValues * type.BlockBytes;
        WeightMatrix matrix = WeightMatrix.Allocate(tensor.Name, rows, columns, type.Blocks!.Format, type.Blocks.Codebook);
        using MappedFile.Lease lease = tensor.Source.Acquire();
        byte* data = lease.Pointer + tensor.Position;
        for (int row = 0; row < rows; row++)
        {
            type.Blocks.ReadRow(
                new ReadOnlySpan<byte>(data + ((long)row * rowBytes), rowBytes),
                matrix.Codes(row), matrix.Scales(row), matrix.ZeroPoints(row), matrix.Minimums(row));
        }

        return matrix;
    }

    protected override void Dispose(bool disposing)
    {
        foreach (GgufFile file in _files)
            file.Dispose();
    }

    private protected override string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types)
    {
        string[] names = [.. types.Select(static t => t.Type).Where(static t => GgufTensorType.Find(t)!.BlockValues > 1)];
        return names.Length == 0 ? null : string.Join(", ", names);
    }

    private static string TensorName(string module) => module + ".weight";

    private static GgufTensorType Blocks(CheckpointTensor tensor)
    {
        GgufTensorType type = GgufTensorType.Find(tensor.Type)!;
        return type.Blocks is not null ? type : throw new UnsupportedException(
            $"type {tensor.Type} of tensor {tensor.Name} in {tensor.File}", $"matrices are read from {GgufTensorType.Readable}");
    }

    private string? Text(string key) =>
        Metadata.TryGet(key, out GgufValue value) && value.Type == GgufValueType.String ? value.Text() : null;
}
