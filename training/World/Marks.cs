namespace Portable.Training.World;

/// <summary>
/// What the auxiliary loss names in each patch. A trained head's rows are these labels in this order: add only at the end.
/// </summary>
internal static class Marks
{
    private const int Orders = 10, Lines = 8;

    /// <summary>
    /// Printable ASCII from <c>!</c> to <c>~</c>, then <see cref="Palette.Shapes"/>, then <see cref="Palette.Colours"/>, then the bars of a chart, then which
    /// glyph of its run a glyph is, then which line of its form.
    /// </summary>
    public static readonly IReadOnlyList<string> Labels =
    [
        .. Enumerable.Range('!', '~' - '!' + 1).Select(c => ((char)c).ToString()),
        .. Palette.Shapes.Select(s => "shape:" + s.English),
        .. Palette.Colours.Select(c => "colour:" + c.English),
        "bar:top",
        .. Enumerable.Range(0, Orders).Select(i => $"order:{i}"),
        .. Enumerable.Range(0, Lines).Select(i => $"line:{i}"),
    ];

    public static int Glyph(char c) => c is > ' ' and <= '~' ? c - '!' : -1;

    public static int Shape(int shape) => '~' - '!' + 1 + shape;

    public static int Colour(int colour) => Shape(Palette.Shapes.Count) + colour;

    public static int BarTop => Colour(Palette.Colours.Count);

    public static int Order(int glyph) => glyph < Orders ? BarTop + 1 + glyph : -1;

    public static int Line(int line) => line is >= 0 and < Lines ? BarTop + 1 + Orders + line : -1;
}
