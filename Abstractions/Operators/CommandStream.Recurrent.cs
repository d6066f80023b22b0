namespace Portable;

public abstract partial class CommandStream
{
    /// <summary>
    /// output[t, c] = sum over k of taps[k, c] * x[t - K + 1 + k, c], where x are the rows of t's segment, and before them the K - 1 rows that its
    /// state holds. The state then holds the last K - 1 rows. A depthwise causal convolution.
    /// </summary>
    /// <param name="input">[tokens, channels], activation type.</param>
    /// <param name="taps">float32 [K, channels], the oldest first; K from 2 to 64.</param>
    /// <param name="states">float32 [segments, (K - 1) * channels]: the rows before the step, the oldest first.</param>
    /// <param name="segments">The segments of the rows; they cover all of them.</param>
    /// <param name="output">[tokens, channels], activation type; must not overlap the input.</param>
    public void CausalConvolution(TensorView input, TensorView taps, TensorView states, in SegmentBatch segments, TensorView output)
    {
        CheckPair(input, output);
        CheckLive(taps, nameof(taps));
        Require(
            taps.Type == ElementType.Float32 && taps.Rows is >= 2 and <= 64 && taps.Columns == input.Columns && taps.IsContiguous, nameof(taps),
            $"expected float32 [taps, {input.Columns}], found {Describe(taps)}");
        CheckStates(states, segments, (taps.Rows - 1) * taps.Columns);
        if (input.Rows > 0)
            OnCausalConvolution(input, taps, states, segments, output);
    }

    /// <summary>
    /// The gated delta rule, token after token for each value head with its state S [key size, value size]:
    /// S = exp(rate * softplus(decay[t] + bias)) S; S += k (sigmoid(beta[t]) (v - S^T k))^T; output[t] = S^T q.
    /// Source: Yang et al. 2024, Gated Delta Networks; the form of the decay is Mamba's (Gu and Dao 2023).
    /// </summary>
    /// <param name="query">[tokens, key heads * key size], activation type, normed and scaled.</param>
    /// <param name="key">[tokens, key heads * key size], activation type, normed.</param>
    /// <param name="value">[tokens, value heads * value size], activation type.</param>
    /// <param name="decay">float32 [tokens, value heads].</param>
    /// <param name="beta">float32 [tokens, value heads].</param>
    /// <param name="rule">Heads, sizes, rates and biases.</param>
    /// <param name="states">float32 [segments, value heads * key size * value size], read and written.</param>
    /// <param name="segments">The segments of the rows; they cover all of them.</param>
    /// <param name="output">[tokens, value heads * value size], activation type; must not overlap an input.</param>
    public void GatedDelta(
        TensorView query, TensorView key, TensorView value, TensorView decay, TensorView beta, in GatedDeltaRule rule, TensorView states,
        in SegmentBatch segments, TensorView output)
    {
        CheckPair(query, key);
        CheckPair(value, output);
        Require(
            rule.KeyHeads > 0 && rule.ValueHeads % rule.KeyHeads == 0 && query.Columns == rule.KeyHeads * rule.KeySize
            && value.Columns == rule.ValueHeads * rule.ValueSize && query.Rows == value.Rows,
            nameof(rule), $"{rule.KeyHeads} key heads of {rule.KeySize} and {rule.ValueHeads} value heads of {rule.ValueSize} with {Describe(query)} and {Describe(value)}");
        CheckGates(decay, value.Rows, rule.ValueHeads, nameof(decay));
        CheckGates(beta, value.Rows, rule.ValueHeads, nameof(beta));
        CheckVector(rule.Rates, rule.ValueHeads, nameof(rule));
        CheckVector(rule.Biases, rule.ValueHeads, nameof(rule));
        CheckStates(states, segments, rule.StateSize);
        if (query.Rows > 0)
            OnGatedDelta(query, key, value, decay, beta, rule, states, segments, output);
    }

    /// <summary>Implements <see cref="CausalConvolution"/>.</summary>
    protected abstract void OnCausalConvolution(TensorView input, TensorView taps, TensorView states, in SegmentBatch segments, TensorView output);

    /// <summary>Implements <see cref="GatedDelta"/>.</summary>
    protected abstract void OnGatedDelta(
        TensorView query, TensorView key, TensorView value, TensorView decay, TensorView beta, in GatedDeltaRule rule, TensorView states,
        in SegmentBatch segments, TensorView output);

    private static void CheckGates(TensorView gates, int tokens, int heads, string argument)
    {
        CheckLive(gates, argument);
        Require(
            gates.Type == ElementType.Float32 && gates.Rows == tokens && gates.Columns == heads, argument,
            $"expected float32 [{tokens}, {heads}], found {Describe(gates)}");
    }

    private static void CheckStates(TensorView states, in SegmentBatch segments, int size)
    {
        CheckIndices(segments.Offsets, segments.Count + 1, nameof(segments));
        CheckLive(states, nameof(states));
        Require(
            states.Type == ElementType.Float32 && states.Rows == segments.Count && states.Columns == size, nameof(states),
            $"expected float32 [{segments.Count}, {size}], found {Describe(states)}");
    }
}
