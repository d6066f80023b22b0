namespace Portable.Decoding.Templates;

/// <summary>
/// The names of one scope. Few scopes hold more than
/// a handful of names; those that do get a dictionary.
/// </summary>
internal sealed class Scope(Scope? parent, IReadOnlyDictionary<string, TemplateValue>? variables = null)
{
    private const int MaxLinear = 8;
    private (string Name, object? Value)[] _entries = [];
    private int _count;
    private Dictionary<string, object?>? _many;

    public Scope Root => parent is null ? this : parent.Root;

    public void Set(string name, object? value)
    {
        if (_many is not null)
        {
            _many[name] = value;
            return;
        }

        for (int i = 0; i < _count; i++)
        {
            if (_entries[i].Name == name)
            {
                _entries[i].Value = value;
                return;
            }
        }

        if (_count == MaxLinear)
        {
            _many = new Dictionary<string, object?>(StringComparer.Ordinal) { [name] = value };
            for (int i = 0; i < _count; i++)
                _many[_entries[i].Name] = _entries[i].Value;
            return;
        }

        if (_count == _entries.Length)
            Array.Resize(ref _entries, _count == 0 ? 2 : _count * 2);
        _entries[_count++] = (name, value);
    }

    public object? Get(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope.TryGetOwn(name, out object? value))
                return value;
        }

        return Globals.TryGet(name, out object? global) ? global : new Undefined($"'{name}' is undefined");
    }

    private Scope? Parent => parent;

    private bool TryGetOwn(string name, out object? value)
    {
        if (_many is not null)
        {
            if (_many.TryGetValue(name, out value))
                return true;
        }
        else
        {
            for (int i = 0; i < _count; i++)
            {
                if (_entries[i].Name == name)
                {
                    value = _entries[i].Value;
                    return true;
                }
            }
        }

        if (variables is not null && variables.TryGetValue(name, out TemplateValue given))
        {
            value = given.Raw;
            return true;
        }

        value = null;
        return false;
    }
}
