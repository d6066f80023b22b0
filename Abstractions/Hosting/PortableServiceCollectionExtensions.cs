using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Portable;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds Portable to an application.</summary>
public static class PortableServiceCollectionExtensions
{
    /// <summary>Adds Portable with options set in code; calls add up.</summary>
    public static IPortableBuilder AddPortable(this IServiceCollection services, Action<PortableOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        OptionsBuilder<PortableOptions> options = services.AddOptions<PortableOptions>();
        if (configure is not null)
            options.Configure(configure);
        return Build(services, options);
    }

    /// <summary>Adds Portable with options from configuration; PORTABLE_BACKEND overrides the backend named there.</summary>
    public static IPortableBuilder AddPortable(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configuration);
        OptionsBuilder<PortableOptions> options = services.AddOptions<PortableOptions>().Bind(configuration);
        options.Configure(static bound =>
        {
            if (Environment.GetEnvironmentVariable(PortableOptions.BackendVariable) is { Length: > 0 } backend)
                bound.Backend = backend;
        });
        return Build(services, options);
    }

    private static Builder Build(IServiceCollection services, OptionsBuilder<PortableOptions> options)
    {
        options.Validate(
            static o => !string.IsNullOrWhiteSpace(o.Backend), "Portable:Backend is empty: name a backend, or 'auto'.")
            .Validate(static o => o.Threads is >= 0 and <= 1024, "Portable:Threads must be 0 (the number of cores) to 1024.")
            .Validate(static o => o.MemoryBudgetBytes is null or > 0, "Portable:MemoryBudgetBytes must be positive.")
            .ValidateOnStart();
        services.TryAddSingleton(static provider => new BackendSelector(
            provider.GetServices<IBackend>(),
            provider.GetService<ILogger<BackendSelector>>() ?? NullLogger<BackendSelector>.Instance));
        return new Builder(services);
    }

    private sealed class Builder(IServiceCollection services) : IPortableBuilder
    {
        public IServiceCollection Services { get; } = services;
    }
}
