// Measures llama.cpp as LLamaSharp ships it, through LLamaSharp's thinnest interface.
//   dotnet run -c Release --project benchmarks/peers/llamasharp -- MODEL.gguf [--threads 2] [--prompt 512] [--generate 64] [--repeat 3] [--tier best|avx2]
using LLama;
using LLama.Common;
using LLama.Native;
using Portable.Peers;

PeerRun.Options options = PeerRun.Options.Parse(args);
NativeLibraryConfig.All.WithLogCallback((_, _) => { });
// Otherwise the package takes the best of its builds that the machine can run.
if (options.Tier == "avx2")
    NativeLibraryConfig.All.WithAvx(AvxLevel.Avx2);
PeerRun.Measure("LLamaSharp", options, () => new LLamaSharpPeer(options));

internal sealed class LLamaSharpPeer : IPeer
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly LLamaBatch _batch = new();

    public LLamaSharpPeer(PeerRun.Options options)
    {
        var parameters = new ModelParams(options.Model)
        {
            ContextSize = (uint)options.Context, Threads = options.Threads, BatchThreads = options.Threads, GpuLayerCount = 0, BatchSize = 512, UBatchSize = 512,
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
    }

    public void Clear() => _context.NativeHandle.MemoryClear();

    public Span<float> Append(ReadOnlySpan<int> tokens, int position)
    {
        const int Most = 512;
        for (int start = 0; start < tokens.Length; start += Most)
        {
            ReadOnlySpan<int> part = tokens.Slice(start, Math.Min(Most, tokens.Length - start));
            _batch.Clear();
            for (int i = 0; i < part.Length; i++)
                _batch.Add(part[i], position + start + i, LLamaSeqId.Zero, start + i == tokens.Length - 1);
            if (_context.NativeHandle.Decode(_batch) != DecodeResult.Ok)
                throw new InvalidOperationException("llama_decode failed");
        }

        return _context.NativeHandle.GetLogits(1);
    }

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }
}
