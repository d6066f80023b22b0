using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// The merges that are possible now: the best rank first, the leftmost of equals. A binary heap in pooled memory.
/// </summary>
internal ref struct MergeQueue(int capacity)
{
    private ulong[] _keys = ArrayPool<ulong>.Shared.Rent(Math.Max(capacity, 16));
    private int[] _results = ArrayPool<int>.Shared.Rent(Math.Max(capacity, 16));
    private int _count;

    public void Push(int rank, int position, int result)
    {
        if (_count == Math.Min(_keys.Length, _results.Length))
            Grow();
        ulong key = (ulong)(uint)rank << 32 | (uint)position;
        int at = _count++;
        while (at > 0)
        {
            int parent = (at - 1) / 2;
            if (_keys[parent] <= key)
                break;
            _keys[at] = _keys[parent];
            _results[at] = _results[parent];
            at = parent;
        }

        _keys[at] = key;
        _results[at] = result;
    }

    public bool TryPop(out int position, out int result)
    {
        if (_count == 0)
        {
            position = result = 0;
            return false;
        }

        position = (int)(uint)_keys[0];
        result = _results[0];
        _count--;
        ulong key = _keys[_count];
        int moved = _results[_count];
        int at = 0;
        while (true)
        {
            int child = 2 * at + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && _keys[child + 1] < _keys[child])
                child++;
            if (_keys[child] >= key)
                break;
            _keys[at] = _keys[child];
            _results[at] = _results[child];
            at = child;
        }

        _keys[at] = key;
        _results[at] = moved;
        return true;
    }

    public readonly void Dispose()
    {
        ArrayPool<ulong>.Shared.Return(_keys);
        ArrayPool<int>.Shared.Return(_results);
    }

    private void Grow()
    {
        ulong[] keys = ArrayPool<ulong>.Shared.Rent(_count * 2);
        int[] results = ArrayPool<int>.Shared.Rent(_count * 2);
        _keys.AsSpan(0, _count).CopyTo(keys);
        _results.AsSpan(0, _count).CopyTo(results);
        Dispose();
        (_keys, _results) = (keys, results);
    }
}
