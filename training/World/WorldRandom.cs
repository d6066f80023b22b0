namespace Portable.Training.World;

/// <summary>
/// The world's own random numbers (SplitMix64, Steele et al. 2014), so that a seed draws the same world on every runtime and for ever.
/// </summary>
internal sealed class WorldRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>The generator of item <paramref name="index"/> in the stream <paramref name="seed"/>: any item can be drawn without those before it.</summary>
    public static WorldRandom ForItem(ulong seed, long index)
    {
        var mix = new WorldRandom(seed * 0x9E3779B97F4A7C15UL ^ (ulong)index);
        mix.Next();
        return new WorldRandom(mix.Next());
    }

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>In [0, 1).</summary>
    public double Unit() => (Next() >> 11) * (1.0 / (1UL << 53));

    public bool Chance(double probability) => Unit() < probability;

    /// <summary>From <paramref name="low"/> to <paramref name="high"/>, both included.</summary>
    public int Between(int low, int high) => low + (int)(Unit() * (high - low + 1));

    public float Between(float low, float high) => low + (float)Unit() * (high - low);

    public T Of<T>(IReadOnlyList<T> items) => items[Between(0, items.Count - 1)];

    public void Shuffle<T>(IList<T> items)
    {
        for (int i = items.Count - 1; i > 0; i--)
        {
            int j = Between(0, i);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary><paramref name="count"/> different items, in random order.</summary>
    public List<T> Some<T>(IReadOnlyList<T> items, int count)
    {
        var all = new List<T>(items);
        Shuffle(all);
        return all.GetRange(0, Math.Min(count, all.Count));
    }
}
