namespace Portable.Vision.Towers;

/// <summary>The norm of a tower's blocks and merger.</summary>
internal enum NormKind
{
    /// <summary>Layer norm with a bias.</summary>
    Layer,

    /// <summary>Root-mean-square norm.</summary>
    RootMeanSquare,
}
