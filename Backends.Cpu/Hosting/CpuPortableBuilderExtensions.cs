using Microsoft.Extensions.DependencyInjection.Extensions;
using Portable;
using Portable.Backends.Cpu;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the CPU backend to an application.</summary>
public static class CpuPortableBuilderExtensions
{
    /// <summary>Registers the CPU as a backend with the id "cpu"; calling it again changes nothing.</summary>
    public static IPortableBuilder AddCpuBackend(this IPortableBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IBackend, CpuBackend>());
        return builder;
    }
}
