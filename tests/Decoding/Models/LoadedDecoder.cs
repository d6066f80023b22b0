using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Decoding.Media;
using Portable.Decoding.Model;
using Portable.Testing.Foreign;

namespace Portable.Tests.Models;

/// <summary>The devices that every golden model runs on.</summary>
public enum TestDevice
{
    CpuReference,
    CpuFast,
    Foreign,
}

/// <summary>A decoder loaded without engine or chat, so that single steps can be compared.</summary>
internal sealed class LoadedDecoder : IDisposable
{
    private readonly ModelDescription _description;
    private readonly DecoderWeights _weights;
    private readonly CommandStream _stream;

    public LoadedDecoder(string path, TestDevice device, int context, int chunk = 256, int logitRows = 256, int? headBits = null)
    {
        _description = ModelDescription.Open(new ModelOptions { Path = path, HeadBits = headBits }, []);
        try
        {
            (IBackend backend, DeviceOptions options) = Backend(device);
            SelectedDevice selected = new BackendSelector([backend]).Select(backend.Id, options, _description.Requirements);
            Device = selected.Open(options);
            _stream = Device.CreateStream();
            _weights = DecoderWeights.Load(
                _description.Checkpoint, _description.Decoder, new WeightUploader(_description.Checkpoint, Device, _stream), default);
            Decoder = new Decoder(Config, _weights);
            Session = new DecoderSession(Device, _stream, Decoder, context, chunk, logitRows);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Device Device { get; } = null!;

    public Decoder Decoder { get; } = null!;

    public DecoderConfig Config => _description.Decoder.Config;

    public DecoderSession Session { get; } = null!;

    public static (IBackend Backend, DeviceOptions Options) Backend(TestDevice device) => device switch
    {
        TestDevice.Foreign => (new ForeignBackend(), new DeviceOptions()),
        TestDevice.CpuFast => (new CpuBackend(), new DeviceOptions { Numerics = NumericMode.Fast }),
        _ => (new CpuBackend(), new DeviceOptions { Numerics = NumericMode.Reference }),
    };

    /// <summary>Logits of every position, [tokens * vocabulary], in chunks of at most the given size.</summary>
    public float[] Logits(int[] tokens, int chunk = int.MaxValue)
    {
        var all = new List<float>();
        Session.PlanLength(tokens.Length);
        Session.Truncate(0);
        int axes = Config.Rope.Axes;
        int[] positions = RopePositions.Compute(tokens.Length, axes, [], out _);
        for (int start = 0; start < tokens.Length; start += Math.Min(chunk, Session.ChunkTokens))
        {
            int count = Math.Min(Math.Min(chunk, Session.ChunkTokens), tokens.Length - start);
            int[] own = [.. Enumerable.Range(0, axes).SelectMany(a => positions.Skip((a * tokens.Length) + start).Take(count))];
            Session.Prefill(tokens.AsSpan(start, count), own, null, count);
            all.AddRange(Session.AllLogits());
        }

        return [.. all];
    }

    /// <summary>Logits of every position, one token at a time.</summary>
    public float[] LogitsByDecoding(int[] tokens)
    {
        var all = new List<float>();
        Session.PlanLength(tokens.Length);
        Session.Truncate(0);
        foreach (int token in tokens)
        {
            Session.Decode(token, Session.Length);
            all.AddRange(Session.Logits());
        }

        return [.. all];
    }

    /// <summary>The residual stream after a number of blocks, [tokens * hidden]; with isNormed after the final norm.</summary>
    public float[] Residual(int[] tokens, int layers, bool isNormed)
    {
        using var session = new DecoderSession(Device, _stream, new Decoder(Config, _weights, layers), tokens.Length, tokens.Length, tokens.Length);
        session.Prefill(tokens, RopePositions.Compute(tokens.Length, Config.Rope.Axes, [], out _), null, tokens.Length);
        return session.HiddenStates(tokens.Length, isNormed);
    }

    public void Dispose()
    {
        Session?.Dispose();
        _weights?.Dispose();
        _stream?.Dispose();
        Device?.Dispose();
        _description.Dispose();
    }
}
