namespace Portable.Backends.Cpu;

/// <summary>Attention inside segments, one query head at a time.</summary>
internal static unsafe class ScalarSegmentAttention
{
    /// <summary>Runs the whole job.</summary>
    public static void Run(in SegmentAttentionJob job)
    {
        for (int s = 0; s < job.Segments; s++)
        {
            int start = job.Offsets[s], length = job.Offsets[s + 1] - start;
            for (int position = 0; position < length; position++)
            {
                job.Visible(length, position, out int first, out int end);
                for (int h = 0; h < job.Form.KeyHeads * job.Form.GroupHeads; h++)
                {
                    int keyHead = h / job.Form.GroupHeads;
                    var source = new RowSource(
                        job.Keys.Row(start) + (keyHead * job.Form.HeadSize), job.Keys.Stride,
                        job.Values.Row(start) + (keyHead * job.Form.ValueSize), job.Values.Stride);
                    ScalarAttention.Run(
                        source, job.Query.Row(start + position) + (h * job.Form.HeadSize),
                        job.Output.Row(start + position) + (h * job.Form.ValueSize), first, end, job.Form, job.Form.Sink(h));
                }
            }
        }
    }

    private readonly struct RowSource(float* keys, nint keyStride, float* values, nint valueStride) : IScalarKeySource
    {
        public float Key(int key, int i) => keys[(key * keyStride) + i];

        public float Value(int key, int i) => values[(key * valueStride) + i];
    }
}
