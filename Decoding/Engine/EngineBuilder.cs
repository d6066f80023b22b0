using Portable.Checkpoints;
using Portable.Decoding.Model;
using Portable.Decoding.Tokenization;

namespace Portable.Decoding;

/// <summary>What building an engine file gave.</summary>
/// <param name="Path">The file.</param>
/// <param name="Layout">The layout of its weights.</param>
/// <param name="Device">The device that packed them.</param>
/// <param name="Weights">Packed weights.</param>
/// <param name="Bytes">Bytes of the file.</param>
/// <param name="SourceBytes">Bytes of the checkpoint's tensors.</param>
public sealed record EngineSummary(string Path, string Layout, DeviceInfo Device, int Weights, long Bytes, long SourceBytes);

/// <summary>
/// Packs a model's weights once and writes them, with everything else that a start needs, as an engine file: a start from it maps the weights instead
/// of reading and packing, and every process on the machine shares their memory.
/// </summary>
public static class EngineBuilder
{
    /// <summary>Builds a file on a thread of the pool.</summary>
    /// <param name="options">The model, and the device and numerics that will run it.</param>
    /// <param name="output">The file to make; an engine file that is there is replaced, anything else is refused.</param>
    /// <param name="selector">The backends to choose from.</param>
    /// <param name="defaults">What <paramref name="options"/> leave open; null takes the defaults.</param>
    /// <param name="imageEncoders">Vision packages; without one the tower is left out.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <param name="cancellation">Cancels; nothing is left behind.</param>
    /// <exception cref="InvalidModelException">The checkpoint is broken.</exception>
    /// <exception cref="InvalidInputException">The output cannot be written, or the model is an engine file itself.</exception>
    /// <exception cref="UnsupportedException">The device cannot write weights, or the model is not supported.</exception>
    public static Task<EngineSummary> BuildAsync(
        ModelOptions options, string output, BackendSelector selector, PortableOptions? defaults = null, IEnumerable<IImageEncoderFactory>? imageEncoders = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrWhiteSpace(output);
        ArgumentNullException.ThrowIfNull(selector);
        return Task.Run(() => Build(options, output, selector, defaults ?? new PortableOptions(), imageEncoders ?? [], progress, cancellation), cancellation);
    }

    private static EngineSummary Build(
        ModelOptions options, string output, BackendSelector selector, PortableOptions defaults, IEnumerable<IImageEncoderFactory> imageEncoders,
        IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        (string backend, DeviceOptions deviceOptions) = options.Resolve(defaults);
        Checkpoint checkpoint = ModelFiles.Open(options, imageEncoders);
        if (checkpoint.Engine is not null)
        {
            checkpoint.Dispose();
            throw new InvalidInputException(options.Path, "it is an engine file already; name the checkpoint that it was built from");
        }

        var recorder = new EngineRecorder(checkpoint);
        using ModelDescription description = ModelDescription.Read(recorder, imageEncoders, options.HeadBits);
        using Device device = selector.Select(backend, deviceOptions, description.Requirements).Open(deviceOptions);
        string layout = device.WeightLayout
            ?? throw new UnsupportedException($"An engine file for {device.Info.Id}", "the device has no layout for files");
        using var writer = new EngineFileWriter(output);
        Tokenizer tokenizer = ModelFiles.ReadTokenizer(recorder);
        ModelFiles.ReadSpecialTokens(recorder, tokenizer);
        try
        {
            ModelFiles.ReadTemplates(recorder);
        }
        catch (UnsupportedException)
        {
            // A model without a usable template answers plain prompts, from an engine file too.
        }

        var weights = new List<EngineSection>();
        var keys = new HashSet<string>(StringComparer.Ordinal);
        using (CommandStream stream = device.CreateStream())
        {
            var uploader = new WeightUploader(recorder, device, stream, progress)
            {
                Loaded = (key, weight) =>
                {
                    // Who asks for a weight twice gets it mapped twice.
                    if (keys.Add(key))
                        weights.Add(writer.Write(key, to => device.WriteWeight(weight, to)));
                },
            };
            using (DecoderWeights.Load(recorder, description.Decoder, uploader, cancellation))
            {
            }

            using (description.Images?.Load(device, uploader, cancellation))
            {
            }

            uploader.Complete();
        }

        string arguments = (backend == BackendSelector.Auto ? "" : $" --backend {backend}") + EngineInfo.Arguments(deviceOptions.Numerics, options.HeadBits);
        if (CompiledVocabulary.Write(tokenizer.Parts) is { } compiled)
        {
            recorder.Put(CompiledVocabulary.FileName, compiled);
            if (recorder.TryReadFile(ModelFiles.TokenizerFile, out byte[]? json))
                recorder.Put(ModelFiles.TokenizerFile, TokenizerJson.WithoutVocabulary(json));
        }

        recorder.Finish(writer, layout, arguments, options.HeadBits, weights, cancellation);
        return new EngineSummary(output, layout, device.Info, weights.Count, new FileInfo(output).Length, recorder.Tensors.Sum(static t => t.Bytes));
    }
}
