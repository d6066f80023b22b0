namespace Portable.Testing.Foreign;

internal sealed partial class ForeignStream
{
    protected override void OnCausalConvolution(TensorView input, TensorView taps, TensorView states, in SegmentBatch segments, TensorView output)
    {
        SegmentBatch batch = segments;
        Enqueue(nameof(CausalConvolution), [input, taps, states, batch.Offsets, output], launch =>
        {
            ForeignTensor x = launch.Read(input, nameof(input)), weights = launch.Read(taps, nameof(taps)), held = launch.Write(states, nameof(states));
            ForeignTensor y = launch.Write(output, nameof(output)), offsets = launch.Read(batch.Offsets, "offsets");
            int kept = taps.Rows - 1, channels = input.Columns;
            for (int s = 0; s < batch.Count; s++)
            {
                int first = launch.Index(offsets, 0, s, input.Rows + 1, "offset"), end = launch.Index(offsets, 0, s + 1, input.Rows + 1, "offset");
                float[] state = held.Row(s);
                List<float[]> rows = [.. Enumerable.Range(0, kept).Select(j => state.AsSpan(j * channels, channels).ToArray())];
                for (int t = first; t < end; t++)
                {
                    rows.Add(x.Row(t));
                    float[] sum = new float[channels];
                    for (int k = 0; k <= kept; k++)
                    {
                        for (int c = 0; c < channels; c++)
                            sum[c] += weights.Get(k, c) * rows[rows.Count - 1 - kept + k][c];
                    }

                    y.Write(t, sum);
                }

                held.Write(s, [.. rows.TakeLast(kept).SelectMany(r => r)]);
            }
        });
    }

    protected override void OnGatedDelta(
        TensorView query, TensorView key, TensorView value, TensorView decay, TensorView beta, in GatedDeltaRule rule, TensorView states,
        in SegmentBatch segments, TensorView output)
    {
        SegmentBatch batch = segments;
        GatedDeltaRule form = rule;
        Enqueue(nameof(GatedDelta), [query, key, value, decay, beta, form.Rates, form.Biases, states, batch.Offsets, output], launch =>
        {
            ForeignTensor q = launch.Read(query, nameof(query)), k = launch.Read(key, nameof(key)), v = launch.Read(value, nameof(value));
            ForeignTensor decays = launch.Read(decay, nameof(decay)), betas = launch.Read(beta, nameof(beta)), offsets = launch.Read(batch.Offsets, "offsets");
            float[] rates = launch.Read(form.Rates, "rates").Row(0), biases = launch.Read(form.Biases, "biases").Row(0);
            ForeignTensor held = launch.Write(states, nameof(states)), y = launch.Write(output, nameof(output));
            (int keySize, int valueSize) = (form.KeySize, form.ValueSize);
            for (int s = 0; s < batch.Count; s++)
            {
                int first = launch.Index(offsets, 0, s, query.Rows + 1, "offset"), end = launch.Index(offsets, 0, s + 1, query.Rows + 1, "offset");
                float[] state = held.Row(s);
                for (int t = first; t < end; t++)
                {
                    float[] queries = q.Row(t), keys = k.Row(t), values = v.Row(t), result = new float[output.Columns];
                    for (int head = 0; head < form.ValueHeads; head++)
                    {
                        int from = form.KeyHeadOf(head) * keySize, at = head * keySize * valueSize;
                        double shrink = Math.Exp(rates[head] * Math.Log(1 + Math.Exp(decays.Get(t, head) + biases[head])));
                        double step = 1 / (1 + Math.Exp(-betas.Get(t, head)));
                        for (int j = 0; j < valueSize; j++)
                        {
                            double memory = 0, sum = 0;
                            for (int i = 0; i < keySize; i++)
                                memory += keys[from + i] * state[at + (i * valueSize) + j] * shrink;
                            double delta = step * (values[(head * valueSize) + j] - memory);
                            for (int i = 0; i < keySize; i++)
                            {
                                ref float element = ref state[at + (i * valueSize) + j];
                                element = (float)((element * shrink) + (keys[from + i] * delta));
                                sum += queries[from + i] * element;
                            }

                            result[(head * valueSize) + j] = (float)sum;
                        }
                    }

                    y.Write(t, result);
                }

                held.Write(s, state);
            }
        });
    }
}
