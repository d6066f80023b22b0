namespace Portable.Training.World;

/// <summary>What a question is about; the rows of the evaluation.</summary>
internal enum Category
{
    Shape,
    Colour,
    Count,
    Position,
    Size,
    Presence,
    Number,
    Date,
    Amount,
    Word,
    Chart,
    Form,
}

/// <summary>A question about one image and its only right answer; the language is <c>en</c> or <c>zh</c>.</summary>
internal sealed record Question(Category Category, string Language, string Text, string Answer);

/// <summary>
/// Two things that belong together in an image (a shape and its colour, a bar's label and its value): asked in training by the bare key,
/// because finding the one from the other is what every longer question needs first.
/// </summary>
internal sealed record Lookup(Category Category, string Key, string Value);

/// <summary>Something drawn at a place (pixels of the finished image): a glyph, a shape or a colour, by its index in <see cref="Marks.Labels"/>.</summary>
internal readonly record struct Mark(float X, float Y, int Label);

/// <summary>
/// An image with all that is known of it. <c>Rgb</c>: 8 bits a channel, rows from the top, width * height * 3 bytes. <c>File</c>: the same pixels as
/// a JPEG file where its artefacts are part of the image, else null (to be written as PNG).
/// </summary>
internal sealed record Picture(int Width, int Height, byte[] Rgb, byte[]? File, List<Mark> Marks, List<Question> Questions, List<Lookup> Lookups);
