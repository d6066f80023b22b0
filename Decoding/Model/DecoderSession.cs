using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// One sequence on a device: its KV cache, its workspace and the steps that extend it. Everything is allocated at
/// construction; a decode step allocates nothing. Used by one thread at a time.
/// </summary>
internal sealed class DecoderSession : IDisposable
{
    private readonly Decoder _decoder;
    private readonly CommandStream _stream;
    private readonly DecoderWorkspace _workspace;
    private readonly KvCache _cache;
    private readonly HostBuffer _hostLogits;
    private readonly HostBuffer _hostBest;
    private readonly int[] _scratch;
    private readonly int _axes;
    private readonly int _vocabulary;
    private CapturedWork? _decodeStep;
    private readonly float[] _queryScales;
    private int _logitRows;
    private int _plannedLength;

    /// <summary>Allocates the session.</summary>
    /// <param name="device">The device that holds the decoder's weights.</param>
    /// <param name="stream">The stream to work on; owned by the caller.</param>
    /// <param name="decoder">The decoder.</param>
    /// <param name="contextTokens">Tokens that the KV cache holds.</param>
    /// <param name="chunkTokens">Tokens of one prefill step.</param>
    /// <param name="maxLogitRows">Rows of logits that one step can give.</param>
    public DecoderSession(Device device, CommandStream stream, Decoder decoder, int contextTokens, int chunkTokens, int maxLogitRows = 1)
    {
        _decoder = decoder;
        _stream = stream;
        _axes = decoder.Config.Rope.Axes;
        _vocabulary = decoder.Config.VocabularySize;
        KvCacheLayout layout = CacheLayout(device, decoder.Config, contextTokens);
        ContextTokens = (int)Math.Min(layout.Tokens, contextTokens);
        _scratch = new int[Math.Max(chunkTokens * _axes, layout.Pages) + 1];
        _queryScales = decoder.Config.QueryScale is null ? [] : new float[chunkTokens * decoder.Config.Rope.RotaryDimensions];
        _cache = device.CreateKvCache(layout);
        try
        {
            _workspace = new DecoderWorkspace(device, decoder.Config, chunkTokens, 1, maxLogitRows, layout.Pages);
            _hostLogits = device.AllocateHost(4L * maxLogitRows * _vocabulary);
            _hostBest = device.AllocateHost(4L * maxLogitRows);

            // One sequence uses the pages in order; the table never changes.
            Span<int> pages = _scratch.AsSpan(0, layout.Pages);
            for (int i = 0; i < pages.Length; i++)
                pages[i] = i;
            _stream.Upload<int>(_workspace.PageTable, pages);
            if (_workspace.Latent is { } latent)
            {
                int[] rows = new int[latent.HeadRows.Columns];
                for (int i = 0; i < rows.Length; i++)
                    rows[i] = i / decoder.Config.QueryHeads;
                _stream.Upload<int>(latent.HeadRows, rows);
            }

            _plannedLength = ContextTokens;
            foreach ((RopeConfig rope, RopeTable table) in Ropes())
            {
                _stream.Upload<int>(table.Frequencies.Axes, rope.FrequencyAxes());
                _stream.Upload<float>(table.Frequencies.InverseFrequencies, rope.InverseFrequencies(_plannedLength));
            }
        }
        catch
        {
            _hostBest?.Dispose();
            _hostLogits?.Dispose();
            _workspace?.Dispose();
            _cache.Dispose();
            throw;
        }
    }

    /// <summary>Tokens that fit.</summary>
    public int ContextTokens { get; }

    /// <summary>Tokens whose keys and values are in the cache.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens of one prefill step.</summary>
    public int ChunkTokens => _workspace.MaxTokens;

    /// <summary>The shape of the cache for a number of tokens on a device.</summary>
    public static KvCacheLayout CacheLayout(Device device, DecoderConfig config, int contextTokens) =>
        CacheLayout(device.Capabilities, config, contextTokens);

    /// <summary>The shape of the cache for a number of tokens with given capabilities.</summary>
    public static KvCacheLayout CacheLayout(DeviceCapabilities capabilities, DecoderConfig config, int contextTokens)
    {
        int pageSize = capabilities.PageSizes[0];
        return new(
            Math.Max(1, config.CacheLayers), config.KeyHeads, config.HeadSize, config.ValueHeadSize, pageSize,
            (int)(((long)contextTokens + pageSize - 1) / pageSize), capabilities.KvFormats[0]);
    }

    /// <summary>
    /// Says how long the sequence may become, prompt and answer; until then it is the whole context. Some rope scalings
    /// (LongRoPE, dynamic) choose their frequencies by it, once and for the whole sequence, because keys are stored
    /// rotated: where the choice changes, the tokens in the cache are forgotten. Other models are not affected. Call it
    /// before comparing a prompt with what the cache holds.
    /// </summary>
    /// <param name="tokens">The length that the sequence may reach.</param>
    public void PlanLength(int tokens)
    {
        foreach ((RopeConfig rope, RopeTable table) in Ropes())
        {
            if (rope.Scaling.LengthClass(tokens) == rope.Scaling.LengthClass(_plannedLength))
                continue;
            _stream.Upload<float>(table.Frequencies.InverseFrequencies, rope.InverseFrequencies(tokens));
            Length = 0;
        }

        _plannedLength = tokens;
    }

    /// <summary>
    /// Forgets the tokens after the first ones; all of them where the model keeps a recurrent state, which cannot go back. Returns how many are kept.
    /// </summary>
    public int Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Length);
        Length = length < Length && _decoder.Config.Delta is not null ? 0 : length;
        return Length;
    }

    /// <summary>
    /// Runs tokens through the decoder after those already in the cache, in chunks. Cancelling between chunks leaves the
    /// finished chunks in the cache.
    /// </summary>
    /// <param name="tokens">Token ids.</param>
    /// <param name="positions">Rope positions, axis by axis: [axes * tokens].</param>
    /// <param name="media">Image features whose spans count from the first of these tokens, or null.</param>
    /// <param name="logitRows">Rows of logits wanted, of the last tokens; all within the last chunk.</param>
    /// <param name="cancellation">Cancels between chunks.</param>
    public void Prefill(
        ReadOnlySpan<int> tokens, ReadOnlySpan<int> positions, PromptMedia? media, int logitRows, CancellationToken cancellation = default)
    {
        int total = tokens.Length;
        if (total == 0 || total > ContextTokens - Length || positions.Length != total * _axes)
            throw new ArgumentException($"{total} tokens with {positions.Length} positions after {Length} of {ContextTokens}");
        BeginStates();
        int start = 0;
        while (start < total)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = ChunkAt(start, total, media);
            bool isLast = start + count == total;
            int rows = isLast ? logitRows : 0;
            if (rows > count || rows > _workspace.MaxLogitRows)
                throw new ArgumentOutOfRangeException(nameof(logitRows), $"{logitRows} rows of a last chunk of {count}, at most {_workspace.MaxLogitRows}");

            _stream.Upload(_workspace.Ids.SliceColumns(0, count), tokens.Slice(start, count));
            for (int axis = 0; axis < _axes; axis++)
                positions.Slice((axis * total) + start, count).CopyTo(_scratch.AsSpan(axis * count));
            _stream.Upload<int>(_workspace.Positions.SliceColumns(0, _axes * count), _scratch.AsSpan(0, _axes * count));
            UploadQueryScales(_scratch.AsSpan(0, count));
            UploadRun(_workspace.Slots.SliceColumns(0, count), Length);
            if (rows > 0)
                UploadRun(_workspace.LogitRows.SliceColumns(0, rows), count - rows);
            UploadBatch(count, Length + count);
            MediaStep? step = media is null ? null : MediaOf(media, start, count);
            bool seesAhead = step is not null && _workspace.VisibleEnds is { } ends && UploadVisibleEnds(ends, media!, start, count);
            _decoder.Enqueue(_stream, _workspace, _cache, new DecoderStep(count, 1, count, Length + count, rows, step, seesAhead));
            _stream.Synchronize();
            Length += count;
            start += count;
        }

        _logitRows = logitRows;
    }

    /// <summary>Runs one token through the decoder; its logits are row 0 afterwards.</summary>
    /// <param name="token">The token.</param>
    /// <param name="position">Its rope position, the same on all axes.</param>
    public void Decode(int token, int position)
    {
        if (Length == ContextTokens)
            throw new InvalidOperationException($"the context of {ContextTokens} tokens is full");
        BeginStates();
        Span<int> one = stackalloc int[3];
        one.Fill(position);
        _stream.Upload<int>(_workspace.Positions.SliceColumns(0, _axes), one[.._axes]);
        UploadQueryScales(one[..1]);
        one[0] = token;
        _stream.Upload<int>(_workspace.Ids.SliceColumns(0, 1), one[..1]);
        one[0] = Length;
        _stream.Upload<int>(_workspace.Slots.SliceColumns(0, 1), one[..1]);
        one[0] = 0;
        _stream.Upload<int>(_workspace.LogitRows.SliceColumns(0, 1), one[..1]);
        UploadBatch(1, Length + 1);
        // Experts are chosen on the host, in the middle of a step.
        if (!_stream.Device.Capabilities.CanCapture || _decoder.Config.Experts is not null)
        {
            _decoder.Enqueue(_stream, _workspace, _cache, new DecoderStep(1, 1, 1, Length + 1, 1));
        }
        else
        {
            _decodeStep ??= CaptureDecode();
            _stream.Replay(_decodeStep);
        }

        Length++;
        _logitRows = 1;
    }

    /// <summary>The logits of a row of the last step [vocabulary]; valid until the next step.</summary>
    public ReadOnlySpan<float> Logits(int row = 0)
    {
        if ((uint)row >= (uint)_logitRows)
            throw new ArgumentOutOfRangeException(nameof(row), $"row {row} of {_logitRows}");
        _stream.Download(_workspace.Logits.SliceRows(row, 1), _hostLogits);
        _stream.Synchronize();
        return _hostLogits.As<float>()[.._vocabulary];
    }

    /// <summary>All rows of logits of the last step [rows * vocabulary]; valid until the next step.</summary>
    public ReadOnlySpan<float> AllLogits()
    {
        _stream.Download(_workspace.Logits.SliceRows(0, _logitRows), _hostLogits);
        _stream.Synchronize();
        return _hostLogits.As<float>()[..(_logitRows * _vocabulary)];
    }

    /// <summary>
    /// A copy of rows of the last step's hidden states, before the final norm or (the rows that logits were wanted for)
    /// after it (times the scale of the logits, where there is one): [rows * hidden]. For looking inside.
    /// </summary>
    internal float[] HiddenStates(int rows, bool isNormed)
    {
        TensorView source = (isNormed ? _workspace.Last : _workspace.Hidden).SliceRows(0, rows);
        using DeviceBuffer buffer = _stream.Device.Allocate(4L * source.Length, MemoryKind.Workspace);
        using HostBuffer host = _stream.Device.AllocateHost(4L * source.Length);
        TensorView floats = buffer.View(ElementType.Float32, source.Rows, source.Columns);
        _stream.Copy(source, floats);
        _stream.Download(floats, host);
        _stream.Synchronize();
        return host.As<float>().ToArray();
    }

    /// <summary>The token of the largest logit of row 0 of the last step.</summary>
    public int BestToken()
    {
        _stream.Download(_workspace.BestIds.SliceRows(0, 1), _hostBest);
        _stream.Synchronize();
        return _hostBest.As<int>()[0];
    }

    public void Dispose()
    {
        try
        {
            _stream.Synchronize();
        }
        catch (PortableException)
        {
            // The device fails, or is lost: what it still had queued will never run, and its memory is freed all the same.
        }

        _decodeStep?.Dispose();
        _hostBest.Dispose();
        _hostLogits.Dispose();
        _workspace.Dispose();
        _cache.Dispose();
    }

    private CapturedWork CaptureDecode()
    {
        _stream.BeginCapture();
        try
        {
            _decoder.Enqueue(_stream, _workspace, _cache, new DecoderStep(1, 1, 1, ContextTokens, 1));
        }
        catch
        {
            _stream.EndCapture().Dispose();
            throw;
        }

        return _stream.EndCapture();
    }

    /// <summary>A sequence begins with recurrent states of zeros.</summary>
    private void BeginStates()
    {
        if (Length > 0 || _workspace.Delta is not { } delta)
            return;
        _stream.Fill(delta.Histories, 0);
        _stream.Fill(delta.States, 0);
    }

    /// <summary>
    /// Tokens of the chunk that begins at a token. Where images are seen in both directions a chunk ends before one that it cannot hold whole.
    /// </summary>
    internal int ChunkAt(int start, int total, PromptMedia? media)
    {
        int count = Math.Min(ChunkTokens, total - start);
        if (media is null || !_decoder.Config.SeesImagesWhole)
            return count;
        foreach (MediaSpan span in media.Spans)
        {
            if (span.Start >= start + count || span.Start + span.Length <= start + count)
                continue;
            return span.Start > start
                ? span.Start - start
                : throw new InvalidInputException(
                    "option PrefillChunkTokens", $"expected at least {span.Length}, the tokens of an image, which this model sees as a whole, found {ChunkTokens}");
        }

        return count;
    }

    /// <summary>For each token of a chunk the position after the last that it sees: of an image's tokens, the image's end.</summary>
    private bool UploadVisibleEnds(TensorView view, PromptMedia media, int start, int count)
    {
        Span<int> ends = _scratch.AsSpan(0, count);
        for (int i = 0; i < count; i++)
            ends[i] = Length + i + 1;
        foreach (MediaSpan span in media.Spans)
        {
            for (int i = Math.Max(span.Start - start, 0); i < Math.Min(span.Start + span.Length - start, count); i++)
                ends[i] = Length + span.Start + span.Length - start;
        }

        _stream.Upload<int>(view.SliceColumns(0, count), ends);
        return true;
    }

    private void UploadBatch(int tokens, int context)
    {
        Span<int> values = stackalloc int[2];
        values[0] = 0;
        values[1] = tokens;
        _stream.Upload<int>(_workspace.QueryOffsets.SliceColumns(0, 2), values);
        values[0] = context;
        _stream.Upload<int>(_workspace.ContextLengths.SliceColumns(0, 1), values[..1]);
    }

    /// <summary>The scale of each token's queries, repeated for every angle of the token.</summary>
    private void UploadQueryScales(ReadOnlySpan<int> positions)
    {
        if (_decoder.Config.QueryScale is not { } scale || _workspace.QueryScales is not { } view)
            return;
        for (int t = 0; t < positions.Length; t++)
            _queryScales.AsSpan(t * view.Columns, view.Columns).Fill(scale.At(positions[t]));
        _stream.Upload<float>(view.SliceRows(0, positions.Length), _queryScales.AsSpan(0, positions.Length * view.Columns));
    }

    private IEnumerable<(RopeConfig Rope, RopeTable Table)> Ropes()
    {
        yield return (_decoder.Config.Rope, _workspace.Rope);
        if (_decoder.Config.LocalRope is { } local)
            yield return (local, _workspace.LocalRope!);
    }

    private void UploadRun(TensorView view, int first)
    {
        Span<int> run = _scratch.AsSpan(0, view.Columns);
        for (int i = 0; i < run.Length; i++)
            run[i] = first + i;
        _stream.Upload<int>(view, run);
    }

    /// <summary>The parts of the images that fall into a chunk, their indices uploaded.</summary>
    private MediaStep? MediaOf(PromptMedia media, int start, int count)
    {
        var slices = new List<MediaSlice>();
        var rows = new List<int>();
        var sources = new List<int>();
        foreach (MediaSpan span in media.Spans)
        {
            int first = Math.Max(span.Start, start), end = Math.Min(span.Start + span.Length, start + count);
            if (first >= end)
                continue;
            slices.Add(new MediaSlice(span.Image, rows.Count, end - first));
            for (int i = first; i < end; i++)
            {
                rows.Add(i - start);
                sources.Add(i - span.Start + span.FirstRow);
            }
        }

        if (slices.Count == 0)
            return null;
        _stream.Upload<int>(_workspace.MediaRows.SliceColumns(0, rows.Count), rows.ToArray());
        _stream.Upload<int>(_workspace.MediaSources.SliceColumns(0, sources.Count), sources.ToArray());
        return new MediaStep(slices, media.Features, media.LayerFeatures);
    }
}
