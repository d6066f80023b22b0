using System.Diagnostics;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Portable.Decoding;
using Portable.Vision.Images;
using Spectre.Console;

namespace Portable.Cli;

/// <summary>A loaded model with its chat client, composed as any application composes them. Disposing frees it all.</summary>
internal sealed class ModelSession : IAsyncDisposable
{
    private const string Key = "model";

    private readonly ServiceProvider _services;

    private ModelSession(ServiceProvider services, PortableModel model, TimeSpan loadTime)
    {
        _services = services;
        Model = model;
        LoadTime = loadTime;
        Chat = services.GetRequiredService<IChatClient>();
    }

    public PortableModel Model { get; }

    public IChatClient Chat { get; }

    public TimeSpan LoadTime { get; }

    /// <summary>Refuses an image that a message could not show to the model.</summary>
    /// <param name="file">What to call it.</param>
    /// <param name="image">Its bytes.</param>
    public void CheckImage(string file, DataContent image)
    {
        if (!Model.TakesImages)
            throw new UnsupportedException("An image in the conversation", $"{Model.ModelId} has no vision part");
        try
        {
            _services.GetRequiredService<IImageDecoder>().Decode(image.Data);
        }
        catch (InvalidInputException error)
        {
            throw new InvalidInputException(file, error.Problem, error);
        }
        catch (UnsupportedException error)
        {
            throw new InvalidInputException(file, $"{error.Feature} is not supported: {error.Reason}", error);
        }
    }

    /// <summary>The services of the command line: all backends and vision, and the model where one is named.</summary>
    public static ServiceProvider Compose(ModelSettings settings)
    {
        var services = new ServiceCollection();
        IPortableBuilder portable = services.AddPortable(options =>
        {
            options.Backend = settings.Backend;
            options.Numerics = settings.Numerics;
            options.Threads = settings.Threads;
            options.MemoryBudgetBytes = settings.Memory;
        }).AddCpuBackend().AddVision();
        if (settings.Path.Length > 0)
            portable.AddModel(Key, options => Configure(options, settings)).AddChatClient(Key);
        return services.BuildServiceProvider();
    }

    /// <summary>The options of the model itself.</summary>
    public static ModelOptions Options(ModelSettings settings)
    {
        var options = new ModelOptions();
        Configure(options, settings);
        return options;
    }

    /// <summary>Loads a model, with a progress bar where stderr is a terminal.</summary>
    public static async Task<ModelSession> LoadAsync(CliConsole console, ModelSettings settings, CancellationToken cancellation)
    {
        ServiceProvider services = Compose(settings);
        try
        {
            ModelHost host = services.GetRequiredKeyedService<ModelHost>(Key);
            long begin = Stopwatch.GetTimestamp();
            PortableModel model = console.IsErrorTerminal
                ? await LoadWithBarAsync(console, host, cancellation).ConfigureAwait(false)
                : await host.GetAsync(cancellation).ConfigureAwait(false);
            return new ModelSession(services, model, Stopwatch.GetElapsedTime(begin));
        }
        catch
        {
            await services.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    private static void Configure(ModelOptions options, ModelSettings settings)
    {
        options.Path = settings.Path;
        options.ProjectorPath = settings.Projector;
        options.ModelId = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Path)));
        options.ContextTokens = settings.Context;
        options.HeadBits = settings.HeadBits;
    }

    private static Task<PortableModel> LoadWithBarAsync(CliConsole console, ModelHost host, CancellationToken cancellation) =>
        console.StyledError.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                ProgressTask bar = context.AddTask("Loading", maxValue: 1);
                void Show(LoadProgress progress)
                {
                    bar.Description = Markup.Escape(progress.Stage);
                    bar.Value = progress.Fraction;
                }

                host.Progress += Show;
                try
                {
                    return await host.GetAsync(cancellation).ConfigureAwait(false);
                }
                finally
                {
                    host.Progress -= Show;
                }
            });
}
