using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Portable.Decoding;

/// <summary>Loads a model when the host starts, so that a broken one is found before the first request.</summary>
internal sealed class ModelStartup(ModelHost host, IOptionsMonitor<ModelOptions> options) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Get(host.Name).LoadAtStart)
            await host.GetAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
