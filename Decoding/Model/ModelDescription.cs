using Portable.Checkpoints;
using Portable.Decoding.Architecture;
using Portable.Decoding.Model;

namespace Portable.Decoding;

/// <summary>
/// A model as its files' headers describe it: enough to choose a device and to plan memory; no weight has been read.
/// Owns the checkpoint.
/// </summary>
internal sealed class ModelDescription : IDisposable
{
    private const int DefaultContextTokens = 8192;
    private const int LeastContextTokens = 256;

    private ModelDescription(Checkpoint checkpoint, DecoderDescription decoder, IImageEncoderDescription? images)
    {
        Checkpoint = checkpoint;
        Decoder = decoder;
        Images = images;
        Requirements = decoder.Requirements(checkpoint);
        if (images is not null)
            Requirements = Requirements.Union(images.Requirements);
    }

    public Checkpoint Checkpoint { get; }

    public DecoderDescription Decoder { get; }

    public IImageEncoderDescription? Images { get; }

    public ModelRequirements Requirements { get; }

    public static ModelDescription Open(ModelOptions options, IEnumerable<IImageEncoderFactory> factories)
    {
        if (string.IsNullOrWhiteSpace(options.Path))
            throw new InvalidInputException("option Path", "it is empty; name a model folder, a GGUF file or an engine file");
        return Read(ModelFiles.Open(options, factories), factories, options.HeadBits);
    }

    /// <summary>Describes an opened checkpoint and owns it, also when this fails.</summary>
    public static ModelDescription Read(Checkpoint checkpoint, IEnumerable<IImageEncoderFactory> factories, int? headBits)
    {
        try
        {
            DecoderDescription decoder = DecoderDescription.Read(checkpoint);
            if (checkpoint.Engine is { } engine)
            {
                if (headBits is { } wanted && wanted != engine.HeadBits)
                {
                    _ = RoundedHead.Format(wanted);
                    throw new InvalidInputException("option HeadBits", $"{checkpoint.Path} was built {(engine.HeadBits is { } built ? $"with {built}" : "without it")}; build another engine file: {engine.CommandFor(engine.Numerics, wanted)}");
                }

                headBits = engine.HeadBits;
            }

            if (headBits is { } bits)
            {
                WeightFormat format = RoundedHead.Format(bits);
                if (RoundedHead.IsSmallerThan(bits, checkpoint.Describe(decoder.Head.Module).Format))
                    decoder = decoder with { RoundedHead = format };
            }

            IImageEncoderDescription? images = factories.Select(f => f.Describe(checkpoint)).FirstOrDefault(d => d is not null);
            return new(checkpoint, decoder, images);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>What the model takes on a device, and how long a context fits. Allocates nothing.</summary>
    public MemoryPlan Plan(Device device, ModelOptions options)
    {
        DecoderConfig config = Decoder.Config;
        long weights = 0;
        // A tied head is the embedding, unless it is rounded; other tensors may be asked for part by part.
        var tables = new HashSet<(string, WeightFormat)>(Requirements.Weights.Where(w => w.Operator == Operator.Embed).Select(w => (w.Tensor, w.Format)));
        foreach (WeightRequirement weight in Requirements.Weights)
        {
            if (weight.Operator == Operator.Embed || !tables.Contains((weight.Tensor, weight.Format)))
                weights += device.WeightBytes(weight.Rows, weight.Columns, weight.Format);
        }

        weights += DecoderWeights.VectorBytes(config, device.Capabilities.ActivationType).Sum(device.BufferBytes);

        long vision = Images?.MemoryBytes(device.Capabilities) ?? 0;
        int chunk = options.PrefillChunkTokens;
        if (chunk is < 1 or > ModelOptions.MaxPrefillChunkTokens)
            throw new InvalidInputException("option PrefillChunkTokens", $"expected 1 to {ModelOptions.MaxPrefillChunkTokens}, found {chunk}");
        KvCacheLayout page = DecoderSession.CacheLayout(device.Capabilities, config, 1) with { Pages = 1 };
        long kvPerPage = device.KvCacheBytes(page);
        int context = options.ContextTokens ?? Math.Min(config.ContextLength, DefaultContextTokens);
        if (context < 2)
            throw new InvalidInputException("option ContextTokens", $"expected 2 or more, found {context}");
        if (context > config.ContextLength)
            throw new InvalidInputException("option ContextTokens", $"{context} is beyond the {config.ContextLength} tokens that the model was made for");
        if (options.ContextTokens is null)
        {
            long pages = Math.Max(0, device.BudgetBytes - weights - vision - Workspace(context)) / kvPerPage;
            int fitting = (int)Math.Min(int.MaxValue, pages * page.PageSize);
            if (fitting < context)
                context = Math.Max(Math.Min(LeastContextTokens, context), fitting);
        }

        return new MemoryPlan(
            weights, kvPerPage / page.PageSize, device.KvCacheBytes(Layout(context)), vision, Workspace(context), context, device.BudgetBytes);

        KvCacheLayout Layout(int tokens) => DecoderSession.CacheLayout(device.Capabilities, config, tokens);

        long Workspace(int tokens) => DecoderWorkspace.Bytes(device, config, chunk, 1, 1, Layout(tokens).Pages);
    }

    public void Dispose() => Checkpoint.Dispose();
}
