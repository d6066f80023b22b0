namespace Portable.Checkpoints;

/// <summary>
/// The length of a file that an untrusted folder or a person names, asked before it is opened: opening a named pipe waits
/// for another process, and a device may have no end. Neither has a length, so both count as empty files, which nobody
/// needs to open.
/// </summary>
internal static class FileLength
{
    /// <summary>Bytes of the file that a path leads to, links followed.</summary>
    /// <exception cref="IOException">There is no such file, or it is a folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be looked at.</exception>
    public static long Of(string path)
    {
        var file = new FileInfo(path);
        // The length of a link would be that of the path in it.
        return file.LinkTarget is null ? file.Length : ((FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!).Length;
    }
}
