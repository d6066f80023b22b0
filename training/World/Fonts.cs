using SkiaSharp;

namespace Portable.Training.World;

/// <summary>
/// The typefaces of the world, all free: DejaVu (Bitstream Vera licence and public domain) and Liberation (SIL Open Font License 1.1), as Debian's
/// packages fonts-dejavu-core, fonts-dejavu-extra and fonts-liberation install them.
/// </summary>
internal static class Fonts
{
    private static readonly string[] s_files =
    [
        "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSansMono.ttf", "dejavu/DejaVuSansMono-Bold.ttf", "dejavu/DejaVuSerif.ttf",
        "dejavu/DejaVuSansCondensed.ttf", "liberation/LiberationSans-Regular.ttf", "liberation/LiberationSans-Bold.ttf", "liberation/LiberationSerif-Regular.ttf",
        "liberation/LiberationMono-Regular.ttf", "liberation/LiberationSerif-Bold.ttf", "liberation/LiberationMono-Bold.ttf",
    ];

    private static readonly Lazy<SKTypeface[]> s_faces = new(() => [.. s_files.Select(Load)]);

    public static string Folder { get; set; } = "/usr/share/fonts/truetype";

    public static SKTypeface Any(WorldRandom random) => random.Of(s_faces.Value);

    private static SKTypeface Load(string file)
    {
        string path = Path.Combine(Folder, file);
        return SKTypeface.FromFile(path) ?? throw new FileNotFoundException(
            $"{path} is missing; the world is drawn with the Debian packages fonts-dejavu-core, fonts-dejavu-extra and fonts-liberation, or give their folder by --fonts", path);
    }
}
