namespace Portable.Training.World;

/// <summary>
/// What the auxiliary loss names in each patch. A trained head's rows are these labels in this order: add only at the end.
/// </summary>
internal static class Marks
{
    /// <summary>Printable ASCII from <c>!</c> to <c>~</c>, then <see cref="Palette.Shapes"/>, then <see cref="Palette.Colours"/>, then the bars of a chart.</summary>
    public static readonly IReadOnlyList<string> Labels =
    [
        .. Enumerable.Range('!', '~' - '!' + 1).Select(c => ((char)c).ToString()),
        .. Palette.Shapes.Select(s => "shape:" + s.English),
        .. Palette.Colours.Select(c => "colour:" + c.English),
        "bar:top",
    ];

    public static int Glyph(char c) => c is > ' ' and <= '~' ? c - '!' : -1;

    public static int Shape(int shape) => '~' - '!' + 1 + shape;

    public static int Colour(int colour) => Shape(Palette.Shapes.Count) + colour;

    public static int BarTop => Colour(Palette.Colours.Count);
}
