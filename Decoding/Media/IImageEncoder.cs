using Portable.Checkpoints;

namespace Portable.Decoding;

/// <summary>
/// Makes image encoders: how the vision package adds itself to the decoding core. Registered as a service; thread-safe.
/// </summary>
public interface IImageEncoderFactory
{
    /// <summary>
    /// Looks at a checkpoint's configuration and headers; null when it has no vision part that this factory knows.
    /// Throws when the vision part is broken or of an unsupported kind.
    /// </summary>
    IImageEncoderDescription? Describe(Checkpoint checkpoint);

    /// <summary>Whether a GGUF language model of this architecture has its vision part in a projector file that this factory reads.</summary>
    bool TakesProjector(string architecture) => false;
}

/// <summary>A vision part found in a checkpoint; nothing has been loaded.</summary>
public interface IImageEncoderDescription
{
    /// <summary>What it needs of a device.</summary>
    ModelRequirements Requirements { get; }

    /// <summary>Bytes of workspace and feature cache that it may take on a device with these capabilities.</summary>
    long MemoryBytes(DeviceCapabilities capabilities);

    /// <summary>Loads it; the caller owns the encoder and disposes of it before the device.</summary>
    IImageEncoder Load(Device device, WeightUploader uploader, CancellationToken cancellation);
}

/// <summary>
/// Turns images into rows of the decoder's embedding. <see cref="Prepare"/> is thread-safe; <see cref="Encode"/> is
/// called by the engine's thread alone.
/// </summary>
public interface IImageEncoder : IDisposable
{
    /// <summary>The token that image features replace.</summary>
    int PlaceholderToken { get; }

    /// <summary>The token that a chat template writes once per image.</summary>
    int TemplateToken => PlaceholderToken;

    /// <summary>Decodes and preprocesses an image on the host.</summary>
    /// <param name="bytes">The file's bytes, untrusted.</param>
    /// <param name="name">What to call the image in errors: "image 2".</param>
    /// <param name="cancellation">Cancels.</param>
    /// <exception cref="InvalidInputException">The bytes are no image, or too large a one.</exception>
    PreparedImage Prepare(ReadOnlyMemory<byte> bytes, string name, CancellationToken cancellation);

    /// <summary>Decodes and preprocesses a video on the host.</summary>
    /// <param name="video">Its frames, untrusted.</param>
    /// <param name="name">What to call it in errors: "video 1".</param>
    /// <param name="cancellation">Cancels.</param>
    /// <exception cref="UnsupportedException">The model does not know videos.</exception>
    /// <exception cref="InvalidInputException">A frame is no image, or the model cannot take them.</exception>
    PreparedImage PrepareVideo(VideoContent video, string name, CancellationToken cancellation) =>
        throw new UnsupportedException("A video in the conversation", "this model knows images only");

    /// <summary>
    /// The features of an image on the device, from the cache when it has been seen before. Valid until
    /// <see cref="EncodedImage.Dispose"/>; the caller disposes of it after the stream has been synchronised.
    /// </summary>
    EncodedImage Encode(PreparedImage image, CommandStream stream, CancellationToken cancellation);
}

/// <summary>An image ready for the tower.</summary>
/// <param name="Grid">Its tokens; where they have no common grid, one row of all.</param>
/// <param name="ContentHash">Hash of the preprocessed pixels and the grid.</param>
public abstract record PreparedImage(TokenGrid Grid, UInt128 ContentHash)
{
    /// <summary>Stands in <see cref="Text"/> for a run of image tokens.</summary>
    public const string Run = "\uFFFC";

    /// <summary>What the prompt holds in place of the template's placeholder, special tokens by their text.</summary>
    public string Text { get; init; } = Run;

    /// <summary>The grid of each run of image tokens, as many as <see cref="Text"/> has; where a run has none, one row of all.</summary>
    public IReadOnlyList<TokenGrid> Runs { get; init; } = [Grid];

    /// <summary>The token of its runs, which the template writes too, where it is not the encoder's placeholder: a video's.</summary>
    public int? Token { get; init; }
}

/// <summary>Features of an image on the device, held until disposed.</summary>
/// <param name="Features">[tokens, hidden], activation type.</param>
/// <param name="LayerFeatures">Per decoder layer from 0: [tokens, hidden] added after that layer; may be empty.</param>
public abstract record EncodedImage(TensorView Features, IReadOnlyList<TensorView> LayerFeatures) : IDisposable
{
    /// <summary>Lets the cache reuse the memory.</summary>
    public abstract void Dispose();
}
