namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnCausalConvolution(TensorView input, TensorView taps, TensorView states, in SegmentBatch segments, TensorView output)
    {
        ConvolutionJob job = new()
        {
            Input = Rows(input), Output = Rows(output), States = Rows(states), Taps = Floats(taps), Count = taps.Rows,
            Offsets = Ints(segments.Offsets), Segments = segments.Count,
        };
        CheckSegments(job.Offsets, job.Segments, input.Rows, nameof(CausalConvolution));
        RunRows(&Convolve, &job, input.Rows, (long)input.Columns * taps.Rows);
        for (int s = 0; s < job.Segments; s++)
            Remember(job, s);

        static void Convolve(void* argument, int worker, int chunk)
        {
            var job = (ConvolutionJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            float** rows = stackalloc float*[64];
            int segment = 0;
            for (int t = first; t < end; t++)
            {
                while (job->Offsets[segment + 1] <= t)
                    segment++;
                for (int k = 0; k < job->Count; k++)
                    rows[k] = job->Before(segment, t - job->Count + 1 + k);
                CausalConvolutionKernel.Run(rows, job->Taps, job->Count, job->Output.Row(t), job->Input.Columns);
            }
        }

        static void Remember(in ConvolutionJob job, int segment)
        {
            int kept = job.Count - 1, end = job.Offsets[segment + 1], columns = job.Input.Columns;
            if (end == job.Offsets[segment])
                return;
            // A row moves only to a lower place, so none is overwritten before it was read.
            for (int j = 0; j < kept; j++)
                Buffer.MemoryCopy(job.Before(segment, end - kept + j), job.States.Row(segment) + ((nint)j * columns), 4L * columns, 4L * columns);
        }
    }

    /// <inheritdoc/>
    protected override void OnGatedDelta(
        TensorView query, TensorView key, TensorView value, TensorView decay, TensorView beta, in GatedDeltaRule rule, TensorView states,
        in SegmentBatch segments, TensorView output)
    {
        DeltaJob job = new()
        {
            Query = Rows(query), Key = Rows(key), Value = Rows(value), Decay = Rows(decay), Beta = Rows(beta), Output = Rows(output), States = Rows(states),
            Rates = Floats(rule.Rates), Biases = Floats(rule.Biases), Offsets = Ints(segments.Offsets), Heads = rule.ValueHeads,
            KeySize = rule.KeySize, ValueSize = rule.ValueSize, KeyHeads = rule.KeyHeads, IsTiled = rule.AreKeyHeadsTiled,
        };
        CheckSegments(job.Offsets, segments.Count, query.Rows, nameof(GatedDelta));
        RunRows(&Delta, &job, segments.Count * rule.ValueHeads, 4L * segments.MaxLength * rule.KeySize * rule.ValueSize);

        static void Delta(void* argument, int worker, int chunk)
        {
            var job = (DeltaJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int item = first; item < end; item++)
            {
                int segment = item / job->Heads, head = item % job->Heads;
                int keyHead = job->IsTiled ? head % job->KeyHeads : head / (job->Heads / job->KeyHeads);
                float* state = job->States.Row(segment) + ((nint)head * job->KeySize * job->ValueSize);
                nint keyAt = (nint)keyHead * job->KeySize, valueAt = (nint)head * job->ValueSize;
                for (int t = job->Offsets[segment]; t < job->Offsets[segment + 1]; t++)
                {
                    float decay = ScalarGatedDelta.Decay(job->Decay.Row(t)[head], job->Rates[head], job->Biases[head]);
                    float beta = ScalarGatedDelta.Sigmoid(job->Beta.Row(t)[head]);
                    GatedDeltaKernel.Run(
                        job->Query.Row(t) + keyAt, job->Key.Row(t) + keyAt, job->Value.Row(t) + valueAt, decay, beta, state, job->Output.Row(t) + valueAt,
                        job->KeySize, job->ValueSize);
                }
            }
        }
    }

    private static void CheckSegments(int* offsets, int count, int rows, string @operator)
    {
        bool isSound = offsets[0] == 0 && offsets[count] == rows;
        for (int s = 0; s < count; s++)
            isSound &= offsets[s] <= offsets[s + 1];
        if (!isSound)
            throw new ArgumentException($"{@operator}: segments must cover rows 0 to {rows} in order", nameof(offsets));
    }

    private struct ConvolutionJob
    {
        public RowSplit Split;
        public FloatRows Input, Output, States;
        public float* Taps;
        public int* Offsets;
        public int Count, Segments;

        /// <summary>A row of the input, or one that the segment's state holds where it lies before the segment.</summary>
        public readonly float* Before(int segment, int row)
        {
            int back = row - Offsets[segment];
            return back >= 0 ? Input.Row(row) : States.Row(segment) + ((nint)(back + Count - 1) * Input.Columns);
        }
    }

    private struct DeltaJob
    {
        public RowSplit Split;
        public FloatRows Query, Key, Value, Decay, Beta, Output, States;
        public float* Rates, Biases;
        public int* Offsets;
        public int Heads, KeyHeads, KeySize, ValueSize;
        public bool IsTiled;
    }
}
