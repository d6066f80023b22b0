namespace Portable.Backends.Cpu;

/// <summary>Paged attention, one query head at a time.</summary>
internal static unsafe class ScalarPagedAttention
{
    /// <summary>Runs the whole job.</summary>
    public static void Run(in PagedAttentionJob job)
    {
        for (int s = 0; s < job.Sequences; s++)
        {
            for (int row = job.Offsets[s]; row < job.Offsets[s + 1]; row++)
            {
                job.Visible(s, row, out int first, out int end);
                for (int h = 0; h < job.Form.KeyHeads * job.Form.GroupHeads; h++)
                {
                    var source = new PageSource(job, s, h / job.Form.GroupHeads);
                    ScalarAttention.Run(
                        source, job.Query.Row(row) + (h * job.Form.HeadSize), job.Output.Row(row) + (h * job.Form.ValueSize),
                        first, end, job.Form, job.Form.Sink(h));
                }
            }
        }
    }

    private readonly struct PageSource(PagedAttentionJob job, int sequence, int head) : IScalarKeySource
    {
        private ElementType Type => job.IsHalf ? ElementType.Float16 : ElementType.Float32;

        public float Key(int key, int i)
        {
            byte* block = job.KeyBlock(sequence, head, key, out int lane, out _);
            return ScalarCast.Load(block, Type, (i * CpuKvCache.Padding) + lane);
        }

        public float Value(int key, int i) => ScalarCast.Load(job.Value(sequence, head, key, out _), Type, i);
    }
}
