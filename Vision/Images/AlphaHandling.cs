namespace Portable.Vision.Images;

/// <summary>What becomes of transparency when an image is turned into RGB.</summary>
public enum AlphaHandling
{
    /// <summary>
    /// Composites over white with Pillow's arithmetic: what the image processors of transformers do with an image that
    /// has an alpha channel or a transparent colour.
    /// </summary>
    OverWhite,

    /// <summary>Drops alpha, so that colours hidden under it appear: what transformers' <c>load_image</c> does with a path.</summary>
    Drop,
}
