namespace Portable.Decoding.Tokenization;

/// <summary>A prefix tree over UTF-16 with a number at the end of each text.</summary>
internal sealed class CharTrie
{
    public const int Root = 0;
    private readonly Dictionary<long, int> _edges = [];
    private readonly List<int> _values = [-1];

    /// <summary>Adds a text; the first of equal texts holds.</summary>
    public void Add(string text, int value)
    {
        int node = Root;
        foreach (char c in text)
        {
            long edge = (long)node << 16 | c;
            if (!_edges.TryGetValue(edge, out int child))
            {
                child = _values.Count;
                _values.Add(-1);
                _edges.Add(edge, child);
            }

            node = child;
        }

        if (_values[node] < 0)
            _values[node] = value;
    }

    public bool TryStep(ref int node, char c) => _edges.TryGetValue((long)node << 16 | c, out node);

    /// <summary>The number of the text that ends at the node, or -1.</summary>
    public int ValueOf(int node) => _values[node];
}
