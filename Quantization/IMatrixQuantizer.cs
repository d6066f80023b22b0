namespace Portable.Quantization;

/// <summary>
/// Chooses the 4-bit codes, scales and zero points of one weight matrix. Implementations are thread-safe; how the result is packed and stored is not
/// their concern.
/// </summary>
public interface IMatrixQuantizer
{
    /// <summary>Quantises one row, so that the weight is <c>(code - zero) * scale</c>.</summary>
    /// <param name="weights">The row's weights [inputs], a multiple of <paramref name="groupSize"/>.</param>
    /// <param name="groupSize">Neighbouring inputs that share a scale and a zero point.</param>
    /// <param name="codes">Receives a code from 0 to 15 for each weight.</param>
    /// <param name="scales">Receives a scale for each group: positive, finite.</param>
    /// <param name="zeros">Receives a zero point from 0 to 15 for each group.</param>
    void Quantize(ReadOnlySpan<float> weights, int groupSize, Span<byte> codes, Span<Half> scales, Span<byte> zeros);
}
