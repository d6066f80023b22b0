using Portable.Vision.Images;

namespace Portable.Vision.Processing;

/// <summary>An image as a vision tower takes it: normalised patches and their grid. Immutable; safe to share between threads.</summary>
internal sealed class ProcessedImage
{
    internal ProcessedImage(
        float[] pixelValues, int patchLength, int gridT, int gridH, int gridW, int mergeSize, RgbImage resized, string contentHash)
    {
        PixelValues = pixelValues;
        PatchLength = patchLength;
        GridT = gridT;
        GridH = gridH;
        GridW = gridW;
        MergeSize = mergeSize;
        Resized = resized;
        ContentHash = contentHash;
    }

    /// <summary>
    /// The patches, [Patches, PatchLength]. Patches are ordered t, block row, block column, row in the block, column in
    /// the block, with blocks of MergeSize x MergeSize patches; inside a patch the order is channel, t, y, x.
    /// </summary>
    public ReadOnlyMemory<float> PixelValues { get; }

    /// <summary>Number of patches: GridT * GridH * GridW.</summary>
    public int Patches => GridT * GridH * GridW;

    /// <summary>Values of one patch: channels * temporal patch size * patch size * patch size.</summary>
    public int PatchLength { get; }

    /// <summary>Patches in time; 1 for a still image.</summary>
    public int GridT { get; }

    /// <summary>Patches in height.</summary>
    public int GridH { get; }

    /// <summary>Patches in width.</summary>
    public int GridW { get; }

    /// <summary>Patches on a side of a block that the tower merges into one token.</summary>
    public int MergeSize { get; }

    /// <summary>Tokens that the image takes in the prompt: one for each block of patches.</summary>
    public int Tokens => Patches / (MergeSize * MergeSize);

    /// <summary>The tiles that it was cut into; null where it was not. Frames are tiles then.</summary>
    public TiledImage? Tiling { get; init; }

    /// <summary>The image after resizing, before normalisation; its first tile where it was cut into tiles.</summary>
    public RgbImage Resized { get; }

    /// <summary>
    /// SHA-256, in lower-case hexadecimal, of the resized pixels, their size and the processor's settings: equal hashes
    /// mean equal pixel values. A cache of tower outputs adds the model to the key.
    /// </summary>
    public string ContentHash { get; }
}
