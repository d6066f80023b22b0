namespace Portable.Quantization;

/// <summary>What is quantised, and how finely.</summary>
public sealed record QuantizeOptions
{
    /// <summary>Inputs that share a scale and a zero point: 32, 64 or 128. Smaller is better and larger.</summary>
    public int GroupSize { get; init; } = 128;

    /// <summary>Whether the linear layers of the vision tower are quantised too; else they stay as they are.</summary>
    public bool IncludesVision { get; init; }

    /// <summary>Who chooses the codes.</summary>
    public IMatrixQuantizer Quantizer { get; init; } = new RoundToNearest();

    /// <summary>Most bytes of weights in one file.</summary>
    public long ShardBytes { get; init; } = 4L << 30;
}

/// <summary>How far a quantisation has come.</summary>
/// <param name="Module">The matrix that is being quantised, or the tensor that is being copied.</param>
/// <param name="Fraction">From 0 to 1, by bytes read.</param>
public readonly record struct QuantizeProgress(string Module, double Fraction);

/// <summary>What came out.</summary>
/// <param name="Path">The new folder.</param>
/// <param name="Matrices">Matrices that were quantised.</param>
/// <param name="QuantizedWeights">Weights in them.</param>
/// <param name="KeptTensors">Tensors that were copied as they are.</param>
/// <param name="BytesBefore">Bytes of all tensors before.</param>
/// <param name="BytesAfter">Bytes of all tensors after.</param>
/// <param name="Left">Linear layers that were left as they are, or the name they have in common.</param>
public sealed record QuantizeSummary(
    string Path, int Matrices, long QuantizedWeights, int KeptTensors, long BytesBefore, long BytesAfter, IReadOnlyList<string> Left);
