using System.Diagnostics.CodeAnalysis;

namespace Portable.Cli;

/// <summary>
/// The model that comes with the command line: packed beside the program, and in a clone in the repository's <c>models</c> folder.
/// </summary>
internal static class BuiltInModel
{
    public const string Name = "tiny-vl-awq";

    /// <summary>What it is good for, for the help.</summary>
    public const string Limits =
        "Without --model the built-in model answers: a very small one that knows only drawn shapes (their colours, numbers, places, sizes), short numbers, dates, " +
        "amounts and words, bar charts and plain receipts and forms, asked about in English or Chinese. It does not know photographs or anything else.";

    /// <summary>Its folder; false where this program came without it.</summary>
    public static bool TryFind([NotNullWhen(true)] out string? folder)
    {
        folder = Find(Path.Combine("models", Name));
        return folder is not null;
    }

    /// <summary>A folder beside the program or in one of the folders above it; null where there is none.</summary>
    public static string? Find(string relative)
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string folder = Path.Combine(at.FullName, relative);
            if (Directory.Exists(folder))
                return folder;
        }

        return null;
    }
}
