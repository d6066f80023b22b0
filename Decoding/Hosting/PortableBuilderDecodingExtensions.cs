using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Portable;
using Portable.Decoding;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds models and chat clients to an application.</summary>
public static class PortableBuilderDecodingExtensions
{
    /// <summary>
    /// Adds a model under a name. Nothing is loaded until the host starts or the model is first used. Resolve it as a
    /// keyed <see cref="ModelHost"/>, or add a chat client.
    /// </summary>
    public static IPortableBuilder AddModel(this IPortableBuilder builder, string name, Action<ModelOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(configure);
        return Add(builder, name, options => options.Configure(configure));
    }

    /// <summary>As the other overload, with options from a section of the configuration, such as "Portable:Models:NAME".</summary>
    public static IPortableBuilder AddModel(this IPortableBuilder builder, string name, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(configuration);
        return Add(builder, name, options => options.Bind(configuration));
    }

    /// <summary>
    /// Adds a chat client of a model, keyed by the model's name; the first one is the application's
    /// <see cref="IChatClient"/> too. Continue with UseFunctionInvocation, UseOpenTelemetry and the like.
    /// </summary>
    public static ChatClientBuilder AddChatClient(this IPortableBuilder builder, string model)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(model);
        builder.Services.TryAddSingleton(provider => provider.GetRequiredKeyedService<IChatClient>(model));
        return builder.Services.AddKeyedChatClient(model, provider => new PortableChatClient(
            provider.GetKeyedService<ModelHost>(model)
            ?? throw new UnsupportedException($"A chat client of model '{model}'", $"no model of that name was added; call AddModel(\"{model}\", …)")));
    }

    private static IPortableBuilder Add(IPortableBuilder builder, string name, Action<OptionsBuilder<ModelOptions>> configure)
    {
        OptionsBuilder<ModelOptions> options = builder.Services.AddOptions<ModelOptions>(name);
        configure(options);
        options
            .Validate(static o => !string.IsNullOrWhiteSpace(o.Path), $"The model '{name}' has no Path: name a model folder or a GGUF file.")
            .Validate(static o => o.ContextTokens is null or >= 2, $"The model '{name}' has a ContextTokens below 2.")
            .Validate(
                static o => o.PrefillChunkTokens is >= 1 and <= ModelOptions.MaxPrefillChunkTokens,
                $"The model '{name}' has a PrefillChunkTokens outside 1 to {ModelOptions.MaxPrefillChunkTokens}.")
            .Validate(static o => o.Threads is null or (>= 0 and <= 1024), $"The model '{name}' has a Threads outside 0 (the number of cores) to 1024.")
            .Validate(static o => o.MemoryBudgetBytes is null or > 0, $"The model '{name}' has a MemoryBudgetBytes that is not positive.")
            .ValidateOnStart();
        builder.Services.TryAddKeyedSingleton(name, (provider, _) => new ModelHost(
            name,
            provider.GetRequiredService<IOptionsMonitor<ModelOptions>>(),
            provider.GetRequiredService<IOptions<PortableOptions>>(),
            provider.GetRequiredService<BackendSelector>(),
            provider.GetServices<IImageEncoderFactory>(),
            provider.GetService<ILogger<PortableModel>>()));
        builder.Services.AddSingleton<IHostedService>(provider => new ModelStartup(
            provider.GetRequiredKeyedService<ModelHost>(name), provider.GetRequiredService<IOptionsMonitor<ModelOptions>>()));
        return builder;
    }
}
