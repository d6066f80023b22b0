using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Portable.Benchmarks.Models;

/// <summary>
/// Weights for models of which only the speed is measured: random codes with valid scales, such that the weights are spread
/// about zero as wide as asked for. The same seed gives the same bytes everywhere.
/// </summary>
internal sealed class RandomWeights(ulong seed)
{
    private ulong _state = seed;

    /// <summary>Writes so many blocks of a type.</summary>
    public void WriteBlocks(Stream stream, string type, int blockBytes, long blocks, float spread)
    {
        const int Most = 4096;
        var buffer = new byte[Most * blockBytes];
        while (blocks > 0)
        {
            int count = (int)Math.Min(Most, blocks);
            Span<byte> part = buffer.AsSpan(0, count * blockBytes);
            Fill(part);
            for (int i = 0; i < count; i++)
                SetScales(part.Slice(i * blockBytes, blockBytes), type, spread);
            stream.Write(part);
            blocks -= count;
        }
    }

    /// <summary>Writes so many float32, spread evenly about a value.</summary>
    public void WriteFloats(Stream stream, long count, float about, float spread)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (long i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes, about + (spread * ((2 * Unit()) - 1)));
            stream.Write(bytes);
        }
    }

    // The divisors are the spread (standard deviation) of a block's weights for a scale of one, with every code as likely.
    private void SetScales(Span<byte> block, string type, float spread)
    {
        float size = spread * (0.75f + (0.5f * Unit()));
        switch (type)
        {
            case "Q4_0":
                WriteHalf(block, size / 4.6f);
                break;
            case "Q5_0":
                WriteHalf(block, size / 9.2f);
                break;
            case "Q8_0":
                WriteHalf(block, size / 74);
                break;
            case "Q4_K":
                // Minimums take the mean away: codes are 7.5 on average, and scales and minimums are as large.
                WriteHalf(block, size / 260);
                WriteHalf(block[2..], size / 260 * 7.5f);
                break;
            case "Q6_K":
                WriteHalf(block[208..], size / 1370);
                break;
            default:
                throw new ArgumentException($"no random blocks of {type}", nameof(type));
        }
    }

    private static void WriteHalf(Span<byte> at, float value) => BinaryPrimitives.WriteHalfLittleEndian(at, (Half)value);

    private float Unit() => (Next() >> 40) * (1f / (1 << 24));

    private void Fill(Span<byte> bytes)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < words.Length; i++)
            words[i] = Next();
        for (int i = words.Length * sizeof(ulong); i < bytes.Length; i++)
            bytes[i] = (byte)Next();
    }

    // A Weyl sequence whose values are scrambled by multiplications and shifts (SplitMix64).
    private ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
