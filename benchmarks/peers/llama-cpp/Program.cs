// Measures llama.cpp as node-llama-cpp ships it. Its npm package holds llama.cpp's own shared libraries; they are driven
// here through their C interface, since calls through JavaScript for every token would cost the peer decoding speed.
//   npm ci && dotnet run -c Release -- MODEL.gguf [--libraries node_modules/@node-llama-cpp/linux-x64/bins/linux-x64]
//   [--threads 2] [--prompt 512] [--generate 64] [--repeat 3] [--tier best|avx2]
using System.Runtime.InteropServices;
using Portable.Peers;

PeerRun.Options options = PeerRun.Options.Parse(args);
int given = Array.IndexOf(args, "--libraries");
string libraries = given >= 0 ? args[given + 1] : "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";
PeerRun.Measure("llama.cpp", options, () => new LlamaCppPeer(options, Path.GetFullPath(libraries)));

/// <summary>A model and a context of llama.cpp (include/llama.h of the release that the package names).</summary>
internal sealed unsafe class LlamaCppPeer : IPeer
{
    private const int BatchTokens = 512;
    private readonly nint _model, _context, _memory;
    private readonly int _vocabulary;
    private readonly delegate* unmanaged<nint, Batch, int> _decode;
    private readonly delegate* unmanaged<nint, int, float*> _logits;
    private readonly delegate* unmanaged<nint, byte, void> _clear;
    private readonly delegate* unmanaged<nint, void> _freeContext, _freeModel;

    public LlamaCppPeer(PeerRun.Options options, string folder)
    {
        nint ggml = Load("libggml.");
        nint llama = Load("libllama.");
        ((delegate* unmanaged<delegate* unmanaged<int, byte*, void*, void>, void*, void>)NativeLibrary.GetExport(llama, "llama_log_set"))(&Silent, null);
        // Haswell is the package's build for AVX2 and FMA; otherwise it takes the best that the machine can run.
        if (options.Tier == "avx2")
            Call(ggml, "ggml_backend_load", Path.Combine(folder, "libggml-cpu-haswell.so"));
        else
            Call(ggml, "ggml_backend_load_all_from_path", folder);
        ((delegate* unmanaged<void>)NativeLibrary.GetExport(llama, "llama_backend_init"))();

        nint path = Marshal.StringToCoTaskMemUTF8(options.Model);
        _model = ((delegate* unmanaged<nint, Parameters, nint>)NativeLibrary.GetExport(llama, "llama_model_load_from_file"))(
            path, ((delegate* unmanaged<Parameters>)NativeLibrary.GetExport(llama, "llama_model_default_params"))());
        Marshal.FreeCoTaskMem(path);
        if (_model == 0)
            throw new InvalidOperationException($"llama.cpp cannot load {options.Model}");

        Parameters parameters = ((delegate* unmanaged<Parameters>)NativeLibrary.GetExport(llama, "llama_context_default_params"))();
        uint batch = (uint)Math.Min(BatchTokens, options.Context);
        parameters.Words[0] = (uint)options.Context;
        parameters.Words[1] = parameters.Words[2] = batch;
        _context = ((delegate* unmanaged<nint, Parameters, nint>)NativeLibrary.GetExport(llama, "llama_init_from_model"))(_model, parameters);
        // The sizes are set by their place in a struct of which no header is at hand: ask whether they were understood.
        if (_context == 0 || Count("llama_n_ctx", _context) < options.Context || Count("llama_n_batch", _context) != batch || Count("llama_n_ubatch", _context) != batch)
            throw new InvalidOperationException("llama.cpp did not make the context that was asked for; another release than the peer was written for?");
        ((delegate* unmanaged<nint, int, int, void>)NativeLibrary.GetExport(llama, "llama_set_n_threads"))(_context, options.Threads, options.Threads);
        _memory = ((delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(llama, "llama_get_memory"))(_context);
        nint vocabulary = ((delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(llama, "llama_model_get_vocab"))(_model);
        _vocabulary = (int)Count("llama_vocab_n_tokens", vocabulary);
        _decode = (delegate* unmanaged<nint, Batch, int>)NativeLibrary.GetExport(llama, "llama_decode");
        _logits = (delegate* unmanaged<nint, int, float*>)NativeLibrary.GetExport(llama, "llama_get_logits_ith");
        _clear = (delegate* unmanaged<nint, byte, void>)NativeLibrary.GetExport(llama, "llama_memory_clear");
        _freeContext = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(llama, "llama_free");
        _freeModel = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(llama, "llama_model_free");

        uint Count(string function, nint subject) => ((delegate* unmanaged<nint, uint>)NativeLibrary.GetExport(llama, function))(subject);

        // The libraries carry the release in their names, and find each other by where they lie.
        nint Load(string name) => NativeLibrary.Load(Directory.GetFiles(folder, name + "*so").Single());
    }

    public void Clear() => _clear(_memory, 1);

    public Span<float> Append(ReadOnlySpan<int> tokens, int position)
    {
        // Without positions llama.cpp counts on from what the context holds, and gives the logits of the last token only.
        for (int start = 0; start < tokens.Length; start += BatchTokens)
        {
            ReadOnlySpan<int> part = tokens.Slice(start, Math.Min(BatchTokens, tokens.Length - start));
            fixed (int* first = part)
            {
                if (_decode(_context, new Batch { Count = part.Length, Tokens = first }) != 0)
                    throw new InvalidOperationException("llama_decode failed");
            }
        }

        return new Span<float>(_logits(_context, -1), _vocabulary);
    }

    public void Dispose()
    {
        _freeContext(_context);
        _freeModel(_model);
    }

    [UnmanagedCallersOnly]
    private static void Silent(int level, byte* text, void* data)
    {
    }

    private static void Call(nint library, string function, string argument)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(argument);
        ((delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(library, function))(text);
        Marshal.FreeCoTaskMem(text);
    }

    /// <summary>
    /// Room for llama_model_params or llama_context_params, which are passed by value and grow from release to release:
    /// on x64 and arm64 a larger struct than the callee's is harmless as the last argument. A context's begins with the
    /// tokens of the context, of a batch, and of a part of a batch.
    /// </summary>
    private struct Parameters
    {
        public fixed uint Words[128];
    }

    /// <summary>llama_batch without what it may leave out: embeddings, positions, sequences, which logits are wanted.</summary>
    private struct Batch
    {
        public int Count;
        public int* Tokens;
        private fixed ulong _absent[5];
    }
}
