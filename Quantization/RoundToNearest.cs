namespace Portable.Quantization;

/// <summary>
/// The plainest quantiser: a group's range, which always includes 0, is divided into 15 equal steps and each weight takes the nearest one.
/// No weight within the range is off by more than half a step, but for the rounding of the scale to float16.
/// </summary>
public sealed class RoundToNearest : IMatrixQuantizer
{
    private const int MaximumCode = 15;

    /// <inheritdoc/>
    public void Quantize(ReadOnlySpan<float> weights, int groupSize, Span<byte> codes, Span<Half> scales, Span<byte> zeros)
    {
        for (int group = 0; group < weights.Length / groupSize; group++)
        {
            ReadOnlySpan<float> values = weights.Slice(group * groupSize, groupSize);
            float low = 0, high = 0;
            foreach (float value in values)
            {
                low = Math.Min(low, value);
                high = Math.Max(high, value);
            }

            // The codes are chosen for the scale as it is stored.
            Half stored = (Half)((high - low) / MaximumCode);
            if (stored == Half.Zero)
                stored = Half.Epsilon;
            float scale = (float)stored;
            int zero = Math.Clamp((int)MathF.Round(-low / scale), 0, MaximumCode);
            scales[group] = stored;
            zeros[group] = (byte)zero;
            Span<byte> own = codes.Slice(group * groupSize, groupSize);
            for (int i = 0; i < own.Length; i++)
                own[i] = (byte)Math.Clamp(MathF.Round(values[i] / scale) + zero, 0, MaximumCode);
        }
    }
}
