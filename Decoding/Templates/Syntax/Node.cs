namespace Portable.Decoding.Templates;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>
/// A piece of a parsed template. Immutable, so that threads share it. <see cref="Depth"/> is the height of the tree
/// below; the parser bounds it, hence walks over the tree may recurse.
/// </summary>
internal abstract class Node(int line, int depth)
{
    public int Line { get; } = line;

    public int Depth { get; } = depth;

    protected static int Deepest(params ReadOnlySpan<Node?> nodes)
    {
        int depth = 0;
        foreach (Node? node in nodes)
            depth = Math.Max(depth, node?.Depth ?? 0);
        return depth + 1;
    }
}

internal abstract class Expression(int line, int depth) : Node(line, depth)
{
    public abstract object? Evaluate(RenderContext context, Scope scope);
}

internal abstract class Statement(int line, int depth) : Node(line, depth)
{
    public abstract Flow Execute(RenderContext context, Scope scope);
}

/// <summary>What can stand left of <c>=</c> or after <c>for</c>.</summary>
internal abstract class Target(int line, int depth) : Node(line, depth)
{
    /// <summary>Sets names in <paramref name="scope"/>.</summary>
    public abstract void Assign(RenderContext context, Scope scope, object? value);
}
