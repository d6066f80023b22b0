namespace Portable.Decoding.Tokenization;

/// <summary>Which two neighbouring tokens become which one, and how early: a hash table with open addresses.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;

    // Unknown to whoever made the file, so that no file can be made whose pairs all meet in one place.
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();
    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _results;
    private readonly int _shift;

    public MergeTable(int capacity)
    {
        int bits = 4;
        while (1L << bits < capacity * 2L)
            bits++;
        _pairs = new ulong[1 << bits];
        _ranks = new int[1 << bits];
        _results = new int[1 << bits];
        _shift = 64 - bits;
        Array.Fill(_pairs, Free);
    }

    /// <summary>Adds a merge; of two for the same pair the later one holds. No more than the capacity may be added.</summary>
    public void Set(int left, int right, int rank, int result)
    {
        ulong pair = Pair(left, right);
        int at = Place(pair);
        while (_pairs[at] != Free && _pairs[at] != pair)
            at = at + 1 & _pairs.Length - 1;
        (_pairs[at], _ranks[at], _results[at]) = (pair, rank, result);
    }

    public bool TryGet(int left, int right, out int rank, out int result)
    {
        ulong pair = Pair(left, right);
        int at = Place(pair);
        while (_pairs[at] != pair)
        {
            if (_pairs[at] == Free)
            {
                rank = result = -1;
                return false;
            }

            at = at + 1 & _pairs.Length - 1;
        }

        (rank, result) = (_ranks[at], _results[at]);
        return true;
    }

    /// <summary>All merges: the pairs (left in the upper half), their ranks and what they make, ordered by pair.</summary>
    public (ulong[] Pairs, int[] Ranks, int[] Results) Entries()
    {
        int[] taken = [.. Enumerable.Range(0, _pairs.Length).Where(at => _pairs[at] != Free).OrderBy(at => _pairs[at])];
        return ([.. taken.Select(at => _pairs[at])], [.. taken.Select(at => _ranks[at])], [.. taken.Select(at => _results[at])]);
    }

    private static ulong Pair(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private int Place(ulong pair)
    {
        ulong hash = pair ^ Seed;
        hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCD;
        hash = (hash ^ hash >> 33) * 0xC4CEB9FE1A85EC53;
        return (int)(hash >> _shift);
    }
}
