namespace Portable.Benchmarks.Kernels;

/// <summary>What the machine can do at best with some threads, measured in this process before the kernels and after them: the better of both.</summary>
internal sealed class Roofs
{
    private readonly int _threads;
    private readonly Dictionary<WeightFormat, (string Name, double Rate)> _codes = [];
    private double _memory, _floats;
    private bool _isComplete;

    public Roofs(int threads, IEnumerable<PackedCase> cases)
    {
        _threads = threads;
        foreach (PackedCase packed in cases.Where(static c => c.Bound == Bound.Codes))
            _codes[packed.Format] = (packed.FormatName, 0);
        Measure();
    }

    /// <summary>The seconds that a call would take at the roof. The first question comes when all kernels have been measured.</summary>
    public double Seconds(KernelCase kernel)
    {
        if (!_isComplete)
            Measure();
        _isComplete = true;
        return kernel.Bound switch
        {
            Bound.Memory => kernel.Bytes / _memory / 1e9,
            Bound.Codes => kernel.Operations / _codes[((PackedCase)kernel).Format].Rate / 1e9,
            _ => kernel.Operations / _floats / 1e9,
        };
    }

    public override string ToString() =>
        $"{Machine.Conditions(_threads)}; plain read {_memory:f1} GB/s, float32 multiply-adds {_floats:f0} GOPS, tiles in cache "
        + string.Join(", ", _codes.Values.Select(static code => $"{code.Name} {code.Rate:f0} GOPS"));

    private void Measure()
    {
        _memory = Math.Max(_memory, StreamingRead.Bandwidth(_threads));
        _floats = Math.Max(_floats, FloatPeak.GigaFlops(_threads));
        foreach ((WeightFormat format, (string name, double rate)) in _codes)
            _codes[format] = (name, Math.Max(rate, TilePeak.GigaOps(_threads, format)));
    }
}
