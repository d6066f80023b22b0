namespace Portable.Testing.Foreign;

/// <summary>A queue of work that runs when the stream is synchronised, and not before.</summary>
internal sealed partial class ForeignStream : CommandStream
{
    private readonly ForeignDevice _device;
    private readonly List<Command> _queue = [];
    private List<Command>? _recording;
    private bool _isDisposed;

    internal ForeignStream(ForeignDevice device) : base(device)
    {
        _device = device;
        device.Born(this, "a stream");
    }

    private readonly record struct Command(string Operation, Action<ForeignLaunch> Work);

    public override void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _queue.Clear();
        _device.Died(this);
    }

    protected override void OnSynchronize()
    {
        Enter(ForeignCall.Synchronize);
        Command[] work = [.. _queue];
        _queue.Clear();
        foreach (Command command in work)
            new ForeignLaunch(_device, command.Operation).Run(command.Work);
    }

    protected override void OnBeginCapture()
    {
        Enter(ForeignCall.BeginCapture);
        _recording = [];
    }

    protected override CapturedWork OnEndCapture()
    {
        List<Command> recorded = _recording!;
        _recording = null;
        Enter(ForeignCall.EndCapture);
        return new ForeignCapturedWork(this, recorded);
    }

    protected override void OnReplay(CapturedWork work)
    {
        if (work is not ForeignCapturedWork captured || captured.Stream != this)
            throw new ArgumentException("captured work is replayed on the stream that recorded it", nameof(work));
        IReadOnlyList<Command> commands = captured.Commands;
        Enter(ForeignCall.Replay);
        _queue.AddRange(commands);
    }

    protected override void OnUpload(TensorView destination, ReadOnlySpan<byte> source)
    {
        CheckOwn(destination);
        Enter(ForeignCall.Upload);
        byte[] snapshot = source.ToArray();
        _queue.Add(new(nameof(Upload), launch =>
        {
            ForeignTensor output = launch.Write(destination, nameof(destination));
            int rowBytes = snapshot.Length / destination.Rows;
            for (int row = 0; row < destination.Rows; row++)
                snapshot.AsSpan(row * rowBytes, rowBytes).CopyTo(output.Bytes(row));
        }));
    }

    protected override void OnDownload(TensorView source, HostBuffer destination)
    {
        CheckOwn(source);
        if (destination is not ForeignHostBuffer)
            throw new ArgumentException($"a host buffer of {_device.Info.Id}, made by AllocateHost", nameof(destination));
        Enter(ForeignCall.Download);
        int rowBytes = source.Columns * source.Type.Size();
        ForeignMemory.FillWithPoison(destination.Span[..(source.Rows * rowBytes)]);
        _queue.Add(new(nameof(Download), launch =>
        {
            ForeignTensor input = launch.Read(source, nameof(source));
            for (int row = 0; row < source.Rows; row++)
                input.Bytes(row).CopyTo(destination.Span[(row * rowBytes)..]);
        }));
    }

    private void Enqueue(string operation, ReadOnlySpan<TensorView> views, Action<ForeignLaunch> work)
    {
        foreach (TensorView view in views)
            CheckOwn(view);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _device.Enter(ForeignCall.Enqueue, operation);
        (_recording ?? _queue).Add(new(operation, work));
    }

    private void Enter(ForeignCall call)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _device.Enter(call, call.ToString());
    }

    private void CheckOwn(TensorView view)
    {
        if (view.Buffer is not ForeignBuffer || view.Buffer.Device != _device)
            throw new ArgumentException($"a buffer of another device was given to {_device.Info.Id}", nameof(view));
    }

    private ForeignWeight Own(DeviceWeight weight) => weight is ForeignWeight own && own.Device == _device
        ? own
        : throw new ArgumentException($"a weight of another device was given to {_device.Info.Id}", nameof(weight));

    private ForeignKvCache Own(KvCache cache) => cache is ForeignKvCache own && own.Device == _device
        ? own
        : throw new ArgumentException($"a KV cache of another device was given to {_device.Info.Id}", nameof(cache));

    /// <summary>Recorded operators with their arguments.</summary>
    private sealed class ForeignCapturedWork : CapturedWork
    {
        private List<Command>? _commands;

        internal ForeignCapturedWork(ForeignStream stream, List<Command> commands)
        {
            Stream = stream;
            _commands = commands;
            stream._device.Born(this, $"captured work of {commands.Count} operators");
        }

        internal ForeignStream Stream { get; }

        internal IReadOnlyList<Command> Commands => _commands ?? throw new ObjectDisposedException(nameof(CapturedWork));

        public override void Dispose()
        {
            if (_commands is null)
                return;
            _commands = null;
            Stream._device.Died(this);
        }
    }
}
