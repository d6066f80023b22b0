namespace Portable.Decoding.Chat;

/// <summary>Where a chat client gets its model from: loaded already, or loaded at first use.</summary>
internal interface IModelSource
{
    /// <summary>The name before the model is loaded.</summary>
    string Name { get; }

    /// <summary>The model; loading is shared by all callers and one caller's cancellation does not end it for others.</summary>
    Task<PortableModel> GetAsync(CancellationToken cancellation);
}

/// <summary>A model that is there.</summary>
internal sealed class LoadedModel(PortableModel model) : IModelSource
{
    public string Name => model.ModelId;

    public Task<PortableModel> GetAsync(CancellationToken cancellation) => Task.FromResult(model);
}
