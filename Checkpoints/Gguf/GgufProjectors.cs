namespace Portable.Checkpoints;

/// <summary>
/// Vision projector files (mmproj): llama.cpp keeps the tower of a vision-language model in a GGUF file of its own, beside the language model's.
/// </summary>
internal static class GgufProjectors
{
    /// <summary>The key that tells one.</summary>
    public const string ArchitectureKey = "general.architecture";

    /// <summary>Its value in a projector file.</summary>
    public const string Architecture = "clip";

    // People publish one tower in several types side by side; each gives the same answers.
    private static readonly string[] s_preferred = ["-f16", "-bf16", "-f32", "-q8_0"];

    /// <summary>Whether metadata is that of a projector.</summary>
    public static bool IsOne(GgufMetadata metadata) => metadata.TryGetString(ArchitectureKey, out string? architecture) && architecture == Architecture;

    /// <summary>The projector file beside a model's file: its name holds "mmproj". Null where there is none.</summary>
    public static string? FindBeside(string modelPath)
    {
        if (!File.Exists(modelPath) || System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(modelPath)) is not { } folder)
            return null;
        try
        {
            return Directory.EnumerateFiles(folder, "*mmproj*.gguf", new EnumerationOptions { MatchCasing = MatchCasing.CaseInsensitive })
                .OrderBy(Rank).ThenBy(static path => path, StringComparer.Ordinal).FirstOrDefault();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int Rank(string path)
    {
        string name = System.IO.Path.GetFileNameWithoutExtension(path).ToLowerInvariant().Replace('.', '-');
        int rank = Array.FindIndex(s_preferred, name.EndsWith);
        return rank < 0 ? s_preferred.Length : rank;
    }
}
