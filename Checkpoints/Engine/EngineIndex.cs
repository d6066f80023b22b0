using System.Text.Json.Serialization;

namespace Portable.Checkpoints;

/// <summary>
/// What an engine file holds and where: the answers that its checkpoint gave while it was built, so that the same questions find them at a start.
/// Stored as JSON behind the contents.
/// </summary>
internal sealed record EngineIndex
{
    /// <summary>What wrote it.</summary>
    public required string Producer { get; init; }

    /// <summary><see cref="Device.WeightLayout"/> of the device that packed the weights.</summary>
    public required string Layout { get; init; }

    /// <summary>What the checkpoint was.</summary>
    public required CheckpointKind Kind { get; init; }

    /// <summary>Where the checkpoint was.</summary>
    public required string Source { get; init; }

    /// <summary>Options of the command that built it, each with a blank before it.</summary>
    public string Arguments { get; init; } = "";

    /// <summary>Bits that the output matrix was rounded to; null where it was not.</summary>
    public int? HeadBits { get; init; }

    /// <summary>As <see cref="CheckpointSummary.Architecture"/>.</summary>
    public string? Architecture { get; init; }

    /// <summary>As <see cref="CheckpointSummary.Name"/>.</summary>
    public string? ModelName { get; init; }

    /// <summary>As <see cref="CheckpointSummary.Quantization"/>.</summary>
    public string? Quantization { get; init; }

    /// <summary>The checkpoint's files as they were.</summary>
    public required EngineSourceFile[] SourceFiles { get; init; }

    /// <summary>The weights in the device's layout.</summary>
    public required EngineSection[] Weights { get; init; }

    /// <summary>The small files of the model's folder.</summary>
    public required EngineSection[] Files { get; init; }

    /// <summary>The key-value pairs of a GGUF file as they lay there.</summary>
    public EngineSection? Metadata { get; init; }

    /// <summary>How many pairs.</summary>
    public int MetadataKeys { get; init; }

    /// <summary>The same of the projector file that was opened with it.</summary>
    public EngineSection? Projector { get; init; }

    /// <summary>How many pairs.</summary>
    public int ProjectorKeys { get; init; }

    /// <summary>All tensors of the checkpoint.</summary>
    public required EngineTensor[] Tensors { get; init; }

    /// <summary>The matrices that were asked about.</summary>
    public required EngineMatrix[] Matrices { get; init; }

    /// <summary>The modules that have a matrix, of those that were asked about.</summary>
    public required string[] Modules { get; init; }
}

/// <summary>Contents of an engine file.</summary>
/// <param name="Name">Which weight, tensor or file.</param>
/// <param name="Offset">Where it begins; a multiple of <see cref="EngineFormat.Alignment"/>.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">Its hash, in hexadecimal digits.</param>
internal sealed record EngineSection(string Name, long Offset, long Bytes, string Sha256);

/// <summary>A tensor of the checkpoint.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its dimensions, slowest first.</param>
/// <param name="Type">Its type as the format names it.</param>
/// <param name="Bytes">Its size in the checkpoint.</param>
/// <param name="Parameters">Weights that it holds.</param>
/// <param name="Data">Its data as stored, where the model reads it as a vector.</param>
internal sealed record EngineTensor(string Name, long[] Shape, string Type, long Bytes, long Parameters, EngineSection? Data);

/// <summary>What <see cref="Checkpoint.Describe(string)"/> said.</summary>
/// <param name="Module">The module.</param>
/// <param name="Expert">Which expert of a tensor that holds all; null for a tensor that is one matrix.</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Encoding">How a weight is stored.</param>
/// <param name="GroupSize">Columns per group.</param>
/// <param name="Offset">What a group adds.</param>
/// <param name="HasGroupIndex">Whether groups are not neighbours.</param>
/// <param name="TensorName">The tensor that holds the codes.</param>
internal sealed record EngineMatrix(
    string Module, int? Expert, int Rows, int Columns, WeightEncoding Encoding, int GroupSize, GroupOffset Offset, bool HasGroupIndex, string TensorName)
{
    public MatrixInfo Info => new(Module, Rows, Columns, new WeightFormat(Encoding, GroupSize, Offset), HasGroupIndex, TensorName);
}

/// <summary>A file of the checkpoint as it was.</summary>
/// <param name="Path">Where.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sample">The hash of its samples, <see cref="EngineSource"/>.</param>
internal sealed record EngineSourceFile(string Path, long Bytes, string Sample);

/// <summary>How the index is written and read.</summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(EngineIndex))]
internal sealed partial class EngineIndexJson : JsonSerializerContext;
