namespace Portable.Decoding.Templates;

/// <summary>
/// How one scope of the source uses names, in the order of the text: found while parsing, judged afterwards. The rules
/// are those of jinja2's <c>meta.find_undeclared_variables</c>: a variable is what is read before its scope, or one
/// around it, sets it; a name set only under a condition counts too, since it may be read unset.
/// </summary>
internal sealed class NameFrame(NameFrame? around, bool seesAround = true)
{
    private readonly List<(string Name, Use Use)> _uses = [];
    private readonly List<NameFrame> _inner = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    private enum Use
    {
        Read,
        Set,
        SetUnderCondition,
        Parameter,
    }

    /// <summary>The scope around this one in the text.</summary>
    public NameFrame? Around => around;

    /// <summary>How many conditions stand around the place that is parsed, within this scope.</summary>
    public int Conditions { get; set; }

    public NameFrame Inner(bool sees = true)
    {
        var inner = new NameFrame(this, sees);
        _inner.Add(inner);
        return inner;
    }

    public void Read(string name) => _uses.Add((name, Use.Read));

    public void Set(string name) => _uses.Add((name, Conditions > 0 ? Use.SetUnderCondition : Use.Set));

    public void Parameter(string name) => _uses.Add((name, Use.Parameter));

    /// <summary>Adds the variables of this scope and those inside it.</summary>
    public void Collect(HashSet<string> variables)
    {
        var set = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string name, Use use) in _uses)
        {
            bool missing = use switch
            {
                Use.Read => !Knows(name),
                Use.SetUnderCondition => !set.Contains(name) && Parent?.Knows(name) != true,
                _ => false,
            };
            if (missing)
                variables.Add(name);
            if (use is Use.Set or Use.Parameter)
                set.Add(name);
            _known.Add(name);
        }

        foreach (NameFrame inner in _inner)
            inner.Collect(variables);
    }

    private NameFrame? Parent => seesAround ? around : null;

    private bool Knows(string name)
    {
        for (NameFrame? frame = this; frame is not null; frame = frame.Parent)
        {
            if (frame._known.Contains(name))
                return true;
        }

        return false;
    }
}
