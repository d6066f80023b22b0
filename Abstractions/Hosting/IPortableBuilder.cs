using Microsoft.Extensions.DependencyInjection;

namespace Portable;

/// <summary>What backends, models and vision add themselves to. Nothing is loaded while building.</summary>
public interface IPortableBuilder
{
    /// <summary>The application's services.</summary>
    IServiceCollection Services { get; }
}
