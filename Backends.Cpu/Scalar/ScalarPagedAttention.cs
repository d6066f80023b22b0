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
                    var source = new PageSource(job.Pages, job.Layer, h / job.Form.GroupHeads, job.PageTable + (s * job.PageTableStride));
                    ScalarAttention.Run(
                        source, job.Query.Row(row) + (h * job.Form.HeadSize), job.Output.Row(row) + (h * job.Form.ValueSize),
                        first, end, job.Form, job.Form.Sink(h));
                }
            }
        }
    }

    private readonly struct PageSource(CpuKvCache pages, int layer, int head, int* table) : IScalarKeySource
    {
        public float Key(int key, int i)
        {
            (int page, int place) = Math.DivRem(key, pages.Layout.PageSize);
            return Load(pages.Keys(layer, table[page], head), (place * pages.KeyStride) + i);
        }

        public float Value(int key, int i)
        {
            (int page, int place) = Math.DivRem(key, pages.Layout.PageSize);
            return Load(pages.Values(layer, table[page], head), (place * pages.ValueStride) + i);
        }

        private float Load(byte* run, int index) =>
            ScalarCast.Load(run, pages.Layout.Format == KvFormat.Float32 ? ElementType.Float32 : ElementType.Float16, index);
    }
}
