namespace Portable.Training.World;

/// <summary>The kinds of picture, the sizes each comes in, and how often training draws it.</summary>
internal sealed record Scene(string Name, double Share, IReadOnlyList<(int Width, int Height)> Sizes, Func<int, int, WorldRandom, double, Picture> Draw)
{
    /// <summary>
    /// The level at which a picture is as the evaluation draws it. Below, there is less in it; above, what is rare and hard comes more often than in the
    /// evaluation, which training alone asks for.
    /// </summary>
    public const double Whole = 1, Emphasis = 2;

    /// <summary>Sizes are multiples of 28, a merged patch, so that no picture is resized on its way into the tower.</summary>
    public static readonly IReadOnlyList<Scene> All =
    [
        new("shapes", 0.40, [(140, 140), (168, 112), (112, 168), (168, 140)], ShapesScene.Draw),
        new("display", 0.22, [(168, 56), (196, 56), (140, 84), (168, 84)], DisplayScene.Draw),
        new("chart", 0.18, [(168, 140), (196, 140), (168, 112)], ChartScene.Draw),
        new("form", 0.20, [(140, 168), (168, 140), (168, 168)], FormScene.Draw),
    ];

    public static Scene Any(WorldRandom random)
    {
        double at = random.Unit();
        foreach (Scene scene in All)
        {
            if ((at -= scene.Share) < 0)
                return scene;
        }

        return All[^1];
    }
}
