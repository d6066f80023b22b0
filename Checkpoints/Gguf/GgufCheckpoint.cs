namespace Portable.Checkpoints;

/// <summary>A GGUF file, or all parts of a split one.</summary>
internal sealed unsafe class GgufCheckpoint : Checkpoint
{
    private readonly IReadOnlyList<GgufFile> _files;
    private readonly GgufFile? _projector;

    private GgufCheckpoint(string path, IReadOnlyList<GgufFile> files, GgufFile? projector)
        : base(CheckpointKind.Gguf, path, [.. files.SelectMany(static file => file.Tensors), .. projector?.Tensors ?? []])
    {
        _files = files;
        _projector = projector;
    }

    public override GgufMetadata Metadata => _files[0].Metadata;

    public override GgufMetadata? ProjectorMetadata => _projector?.Metadata;

    internal override string? Architecture => Text("general.architecture");

    internal override string? ModelName => Text("general.name");

    public static GgufCheckpoint OpenFile(string path, string? projectorPath)
    {
        IReadOnlyList<GgufFile> files = GgufSplit.Open(path);
        GgufFile? projector = null;
        try
        {
            if (projectorPath is not null)
            {
                projector = GgufFile.Open(projectorPath);
                if (!GgufProjectors.IsOne(projector.Metadata))
                    throw new InvalidModelException(projectorPath, GgufProjectors.ArchitectureKey, $"expected {GgufProjectors.Architecture}, as projector files (mmproj) have; it is another model");
            }

            return new GgufCheckpoint(path, files, projector);
        }
        catch
        {
            projector?.Dispose();
            foreach (GgufFile file in files)
                file.Dispose();
            throw;
        }
    }

    public override bool HasMatrix(string module) => TryGetTensor(TensorName(module), out CheckpointTensor? tensor) && tensor.Shape.Count >= 2;

    public override MatrixInfo Describe(string module)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        return Info(module, tensor, tensor.MatrixShape());
    }

    public override MatrixInfo Describe(string module, int expert)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        return Info(module, tensor, tensor.ExpertShape(expert));
    }

    public override WeightMatrix ReadMatrix(string module)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        return PlainTensors.Encoding(tensor.Type) is { } encoding
            ? PlainTensors.Matrix(tensor, encoding)
            : ReadBlocks(tensor, tensor.MatrixShape(), 0);
    }

    public override WeightMatrix ReadMatrix(string module, int expert)
    {
        CheckpointTensor tensor = Required(TensorName(module));
        return PlainTensors.Encoding(tensor.Type) is { } encoding
            ? PlainTensors.Expert(tensor, encoding, expert)
            : ReadBlocks(tensor, tensor.ExpertShape(expert), expert);
    }

    protected override void Dispose(bool disposing)
    {
        _projector?.Dispose();
        foreach (GgufFile file in _files)
            file.Dispose();
    }

    internal override string? QuantizationText(IReadOnlyList<CheckpointTypeSummary> types)
    {
        string[] names = [.. types.Select(static t => t.Type).Where(static t => GgufTensorType.Find(t)!.BlockValues > 1)];
        return names.Length == 0 ? null : string.Join(", ", names);
    }

    private protected override string FileOf(string name) =>
        _projector is not null && (name.StartsWith("v.", StringComparison.Ordinal) || name.StartsWith("mm.", StringComparison.Ordinal)) ? _projector.Path : Path;

    private static MatrixInfo Info(string module, CheckpointTensor tensor, (int Rows, int Columns) shape)
    {
        WeightFormat format = PlainTensors.Encoding(tensor.Type) is { } encoding ? new WeightFormat(encoding) : Blocks(tensor).Blocks!.Format;
        return new MatrixInfo(module, shape.Rows, shape.Columns, format, false, tensor.Name);
    }

    /// <summary>Reads the rows of the matrix that comes after a number of others of the same shape.</summary>
    private static WeightMatrix ReadBlocks(CheckpointTensor tensor, (int Rows, int Columns) shape, int skipped)
    {
        GgufTensorType type = Blocks(tensor);
        int rowBytes = shape.Columns / type.BlockValues * type.BlockBytes;
        WeightMatrix matrix = WeightMatrix.Allocate(tensor.Name, shape.Rows, shape.Columns, type.Blocks!.Format, type.Blocks.Codebook);
        using MappedFile.Lease lease = tensor.Source.Acquire();
        byte* data = lease.Pointer + tensor.Position + ((long)skipped * shape.Rows * rowBytes);
        for (int row = 0; row < shape.Rows; row++)
        {
            type.Blocks.ReadRow(
                new ReadOnlySpan<byte>(data + ((long)row * rowBytes), rowBytes),
                matrix.Codes(row), matrix.Scales(row), matrix.ZeroPoints(row), matrix.Minimums(row));
        }

        return matrix;
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
