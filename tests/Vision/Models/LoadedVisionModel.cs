using System.Runtime.InteropServices;
using Microsoft.Extensions.AI;
using Portable.Decoding;
using Portable.Decoding.Chat;
using Portable.Decoding.Media;
using Portable.Decoding.Model;
using Portable.Vision;

namespace Portable.Tests.Vision.Models;

/// <summary>A vision-language model with its parts laid open, so that tower, positions and single steps can be compared.</summary>
internal sealed class LoadedVisionModel : IDisposable
{
    private const int ContextTokens = 768;
    private readonly List<IDisposable> _held = [];

    public LoadedVisionModel(string folder, IBackend backend, VisionOptions? options = null)
    {
        Model = PortableModel.LoadAsync(
            new ModelOptions { Path = folder, ContextTokens = ContextTokens, Backend = backend.Id, Numerics = NumericMode.Reference },
            new BackendSelector([backend]),
            imageEncoders: [new ImageEncoderFactory(null, options)]).GetAwaiter().GetResult();
        Stream = Model.Device.CreateStream();
    }

    public PortableModel Model { get; }

    public CommandStream Stream { get; }

    public ImageEncoder Encoder => (ImageEncoder)Model.Images!;

    public ChatPromptBuilder.Result Prompt(IReadOnlyList<ChatMessage> messages)
    {
        ChatRequestOptions options = ChatRequestOptions.Read(null, Model.ChatTemplates!, Model.ModelId, new PortableChatClient(Model));
        return new ChatPromptBuilder(Model).Build(messages, null, options, default);
    }

    /// <summary>Runs the tower over the images of a prompt; the features live until this is disposed of.</summary>
    public PromptMedia? Encode(ModelPrompt prompt)
    {
        if (prompt.Images.Count == 0)
            return null;
        // One encoded image for each, however many runs show it.
        List<EncodedImage> encoded = [.. prompt.Images.Select(image => Hold(Encoder.Encode(image, Stream, default)))];
        return new PromptMedia(
            prompt.Spans, [.. encoded.Select(e => e.Features)],
            [.. Enumerable.Range(0, encoded[0].LayerFeatures.Count).Select(layer => (IReadOnlyList<TensorView>)[.. encoded.Select(e => e.LayerFeatures[layer])])]);
    }

    /// <summary>A sequence of its own on the model's device.</summary>
    public DecoderSession Session(int chunkTokens) =>
        Hold(new DecoderSession(Model.Device, Stream, Model.Decoder, ContextTokens, chunkTokens, chunkTokens));

    public int[] Positions(ModelPrompt prompt, out int delta) =>
        RopePositions.Compute(prompt.Tokens.Count, Model.Decoder.Config.Rope.Axes, prompt.Spans, out delta);

    /// <summary>Activations as float32.</summary>
    public float[] Download(TensorView view)
    {
        using HostBuffer host = Model.Device.AllocateHost(view.Length * view.Type.Size());
        Stream.Download(view, host);
        Stream.Synchronize();
        return view.Type == ElementType.Float32
            ? host.As<float>()[..(int)view.Length].ToArray()
            : [.. MemoryMarshal.Cast<byte, Half>(host.Span)[..(int)view.Length].ToArray().Select(h => (float)h)];
    }

    public void Dispose()
    {
        Stream.Synchronize();
        for (int i = _held.Count - 1; i >= 0; i--)
            _held[i].Dispose();
        Stream.Dispose();
        Model.Dispose();
    }

    private T Hold<T>(T resource) where T : IDisposable
    {
        _held.Add(resource);
        return resource;
    }
}
