using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Portable.Decoding.Chat;

namespace Portable.Decoding;

/// <summary>
/// A registered model of an application: loaded once, at host start or at first use, and disposed of with the
/// application's services. A failed load is reported to everybody who waits, and tried again by the next call.
/// Thread-safe.
/// </summary>
public sealed class ModelHost : IModelSource, IDisposable
{
    private readonly IOptionsMonitor<ModelOptions> _options;
    private readonly PortableOptions _defaults;
    private readonly BackendSelector _selector;
    private readonly IImageEncoderFactory[] _imageEncoders;
    private readonly ILogger<PortableModel>? _logger;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private Task<PortableModel>? _loading;

    internal ModelHost(
        string name, IOptionsMonitor<ModelOptions> options, IOptions<PortableOptions> defaults, BackendSelector selector,
        IEnumerable<IImageEncoderFactory> imageEncoders, ILogger<PortableModel>? logger)
    {
        Name = name;
        _options = options;
        _defaults = defaults.Value;
        _selector = selector;
        _imageEncoders = [.. imageEncoders];
        _logger = logger;
    }

    /// <summary>The name it was registered under, which its clients answer as.</summary>
    public string Name { get; }

    /// <summary>Told how far loading has come.</summary>
    public event Action<LoadProgress>? Progress;

    /// <summary>The model, loaded if it is not yet. Cancelling ends the waiting, not the loading.</summary>
    public Task<PortableModel> GetAsync(CancellationToken cancellation = default)
    {
        Task<PortableModel> loading;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
            if (_loading is null || _loading.IsFaulted || _loading.IsCanceled)
                _loading = LoadAsync();
            loading = _loading;
        }

        return loading.WaitAsync(cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Task<PortableModel>? loading;
        lock (_lock)
        {
            if (_closing.IsCancellationRequested)
                return;
            _closing.Cancel();
            loading = _loading;
        }

        if (loading is null)
            return;
        PortableModel model;
        try
        {
            model = loading.GetAwaiter().GetResult();
        }
        catch (Exception)
        {
            // Loading failed or was cancelled: whoever waited has been told, and there is nothing to free.
            return;
        }

        model.Dispose();
    }

    private Task<PortableModel> LoadAsync()
    {
        ModelOptions options = _options.Get(Name);
        options.ModelId ??= Name;
        return PortableModel.LoadAsync(
            options, _selector, _defaults, _imageEncoders, _logger, new Reporter(this), _closing.Token);
    }

    /// <summary>Hands progress on at once, on the loading thread; <see cref="Progress{T}"/> would queue it.</summary>
    private sealed class Reporter(ModelHost host) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => host.Progress?.Invoke(value);
    }
}
