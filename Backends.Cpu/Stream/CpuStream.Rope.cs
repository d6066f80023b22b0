namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    /// <inheritdoc/>
    protected override void OnRopeAngles(TensorView positions, RopeFrequencies frequencies, TensorView angles)
    {
        int half = frequencies.InverseFrequencies.Columns;
        CheckIndices(Ints(frequencies.Axes), half, positions.Rows, nameof(frequencies));
        AngleJob job = new()
        {
            Angles = Rows(angles),
            Positions = Ints(positions),
            AxisStride = positions.RowStride,
            Inverse = Floats(frequencies.InverseFrequencies),
            Axes = Ints(frequencies.Axes),
            Half = half,
            Scale = frequencies.Scale,
        };
        RunRows(&Angle, &job, angles.Rows, half * 8L);

        static void Angle(void* argument, int worker, int chunk)
        {
            var job = (AngleJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
                RopeAnglesKernel.Run(job->Positions + t, job->AxisStride, job->Inverse, job->Axes, job->Half, job->Scale, job->Angles.Row(t));
        }
    }

    /// <inheritdoc/>
    protected override void OnRope(TensorView heads, int headSize, RopeArguments rope)
    {
        RopeJob job = new() { Heads = Rows(heads), Angles = Rows(rope.Angles), HeadSize = headSize, Style = rope.Style };
        RunRows(&Rotate, &job, heads.Rows, heads.Columns);

        static void Rotate(void* argument, int worker, int chunk)
        {
            var job = (RopeJob*)argument;
            job->Split.Range(chunk, out int first, out int end);
            for (int t = first; t < end; t++)
            {
                for (int h = 0; h < job->Heads.Columns; h += job->HeadSize)
                    RopeKernel.Run(job->Heads.Row(t) + h, job->Angles.Row(t), job->Angles.Columns / 2, job->Style);
            }
        }
    }

    private struct AngleJob
    {
        public RowSplit Split;
        public FloatRows Angles;
        public int* Positions, Axes;
        public nint AxisStride;
        public float* Inverse;
        public int Half;
        public float Scale;
    }

    private struct RopeJob
    {
        public RowSplit Split;
        public FloatRows Heads, Angles;
        public int HeadSize;
        public RopeStyle Style;
    }
}
