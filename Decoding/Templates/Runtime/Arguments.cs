namespace Portable.Decoding.Templates;

/// <summary>
/// The arguments of one call. A built-in names its parameters by <see cref="Bind"/> and then reads them by position.
/// </summary>
internal sealed class Arguments(RenderContext context, string function, object?[] positional, List<KeyValuePair<string, object?>>? named = null)
{
    private static readonly List<KeyValuePair<string, object?>> NoNames = [];
    private static readonly object Missing = new();
    private object?[] _bound = [];

    public object?[] Positional { get; } = positional;

    /// <summary>The named arguments; not to be changed.</summary>
    public List<KeyValuePair<string, object?>> Named { get; } = named ?? NoNames;

    /// <summary>The argument for a parameter; it must have been given.</summary>
    public object? this[int parameter] => Has(parameter) ? _bound[parameter]
        : throw context.Error(TemplateErrorKind.Type, $"{function}() misses argument {parameter + 1}");

    public bool Has(int parameter) => !ReferenceEquals(_bound[parameter], Missing);

    public object? Or(int parameter, object? absent) => Has(parameter) ? _bound[parameter] : absent;

    /// <summary>Matches the arguments with the parameters; the first <paramref name="required"/> must be there.</summary>
    public Arguments Bind(int required, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Length > parameters.Length)
            throw context.Error(TemplateErrorKind.Type, $"{function}() takes at most {parameters.Length} arguments, but {Positional.Length} were given");
        _bound = new object?[parameters.Length];
        Array.Fill(_bound, Missing);
        Positional.CopyTo(_bound, 0);
        foreach ((string name, object? value) in Named)
        {
            int parameter = parameters.IndexOf(name);
            if (parameter < 0)
                throw context.Error(TemplateErrorKind.Type, $"{function}() has no parameter '{name}'");
            if (Has(parameter))
                throw context.Error(TemplateErrorKind.Type, $"{function}() got '{name}' twice");
            _bound[parameter] = value;
        }

        for (int i = 0; i < required; i++)
        {
            if (!Has(i))
                throw context.Error(TemplateErrorKind.Type, $"{function}() misses the argument '{parameters[i]}'");
        }

        return this;
    }

    public string Text(int parameter) => PyText.Unmark(this[parameter]) is string text ? text
        : throw context.Error(TemplateErrorKind.Type, $"{function}(): argument {parameter + 1} must be a string, not {PyText.TypeName(this[parameter])}");

    public long Integer(int parameter, long absent = 0) => Has(parameter) ? PyNumber.RequireIndex(context, this[parameter]) : absent;

    public bool Truth(int parameter, bool absent = false) => Has(parameter) ? PyCompare.Truth(this[parameter]) : absent;

    /// <summary>The arguments after the first <paramref name="count"/> positional ones, for a function called in turn.</summary>
    public Arguments Skip(int count, string name) => new(context, name, Positional[count..], Named);
}
