using System.Security.Cryptography;

namespace Portable.Checkpoints;

/// <summary>
/// Tells whether a checkpoint is still the one that an engine file was built from, in a moment: by each file's length and the hash of its beginning,
/// middle and end. A fine-tuned or re-quantised copy differs there; a flipped bit elsewhere is not seen.
/// </summary>
internal static class EngineSource
{
    private const int SampleBytes = 64 << 10;

    /// <summary>A file as it is; null where it does not exist or cannot be read.</summary>
    /// <param name="path">An absolute path, from an engine file that nobody vouches for: another machine is never asked.</param>
    public static EngineSourceFile? Sample(string path)
    {
        if (path.StartsWith(@"\\", StringComparison.Ordinal) || path.StartsWith("//", StringComparison.Ordinal) || !Path.IsPathFullyQualified(path))
            return null;
        try
        {
            long length = FileLength.Of(path);
            if (length == 0)
                return new EngineSourceFile(path, 0, "");
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] bytes = new byte[SampleBytes];
            foreach (long at in (ReadOnlySpan<long>)[0, Math.Max(0, (length - SampleBytes) / 2), Math.Max(0, length - SampleBytes)])
            {
                stream.Position = at;
                hash.AppendData(bytes, 0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
            }

            return new EngineSourceFile(path, length, Convert.ToHexString(hash.GetHashAndReset()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return null;
        }
    }
}
