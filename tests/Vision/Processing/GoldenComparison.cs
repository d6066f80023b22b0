using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Portable.Tests.Vision.Processing;

/// <summary>How pixel values are compared: by the hash of all of them, else by stored slices within 2e-6.</summary>
internal static class GoldenComparison
{
    public const float Tolerance = 2e-6f;

    public static string Sha256(ReadOnlySpan<float> values) => Sha256(MemoryMarshal.AsBytes(values));

    public static string Sha256(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>Compares slices of equal length, stored one after another, with the values at their starts.</summary>
    public static void Slices(ReadOnlySpan<float> values, IReadOnlyList<int> starts, float[] stored, string what)
    {
        int length = stored.Length / starts.Count;
        for (int slice = 0; slice < starts.Count; slice++)
        {
            for (int i = 0; i < length; i++)
                Assert.That(values[starts[slice] + i], Is.EqualTo(stored[slice * length + i]).Within(Tolerance), $"{what}, value {starts[slice] + i}");
        }
    }
}
