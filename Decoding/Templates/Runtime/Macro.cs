using System.Text;

namespace Portable.Decoding.Templates;

/// <summary>A macro as written, or the body of a call block.</summary>
internal sealed class MacroDefinition(int line, string name, string[] parameters, Expression[] defaults, Block body, bool usesVarargs, bool usesKwargs, bool usesCaller)
    : Node(line, Math.Max(Deepest(defaults), Deepest(body)))
{
    public string Name => name;

    public string[] Parameters => parameters;

    /// <summary>The defaults of the last parameters.</summary>
    public Expression[] Defaults => defaults;

    public Block Body => body;

    public bool UsesVarargs => usesVarargs;

    public bool UsesKwargs => usesKwargs;

    public bool UsesCaller => usesCaller;
}

/// <summary>A macro with the scope in which it was defined, which its body reads.</summary>
internal sealed class Macro(MacroDefinition definition, Scope home) : PyCallable
{
    public override string Name => definition.Name;

    public override object? Call(RenderContext context, Arguments arguments)
    {
        context.Enter(definition.Depth + 4);
        context.Step(8);
        var scope = new Scope(home);
        string[] parameters = definition.Parameters;
        List<KeyValuePair<string, object?>> named = arguments.Named.Count == 0 ? arguments.Named : [.. arguments.Named];
        for (int i = 0; i < parameters.Length; i++)
            scope.Set(parameters[i], i < arguments.Positional.Length ? arguments.Positional[i] : Named(context, scope, named, i));
        if (definition.UsesCaller)
        {
            int at = named.FindIndex(argument => argument.Key == "caller");
            scope.Set("caller", at >= 0 ? named[at].Value : new Undefined("there is no caller: the macro was not called by a call block"));
            if (at >= 0)
                named.RemoveAt(at);
        }

        if (definition.UsesKwargs)
            scope.Set("kwargs", Kwargs(context, named));
        else if (named.Count > 0)
            throw context.TypeError($"macro '{Name}' takes no argument '{named[0].Key}'");
        if (definition.UsesVarargs)
            scope.Set("varargs", new PyTuple(arguments.Positional[Math.Min(parameters.Length, arguments.Positional.Length)..]));
        else if (arguments.Positional.Length > parameters.Length)
            throw context.TypeError($"macro '{Name}' takes {parameters.Length} arguments, but {arguments.Positional.Length} were given");
        StringBuilder outer = context.BeginCapture();
        definition.Body.Execute(context, scope);
        string text = context.EndCapture(outer);
        context.Leave(definition.Depth + 4);
        return text;
    }

    public bool TryMember(string name, out object? member)
    {
        member = name switch
        {
            "name" => Name,
            "arguments" => new PyTuple([.. definition.Parameters]),
            "catch_kwargs" => Boxes.Of(definition.UsesKwargs),
            "catch_varargs" => Boxes.Of(definition.UsesVarargs),
            "caller" => Boxes.Of(definition.UsesCaller),
            _ => null,
        };
        return member is not null;
    }

    private object? Named(RenderContext context, Scope scope, List<KeyValuePair<string, object?>> named, int parameter)
    {
        string name = definition.Parameters[parameter];
        int at = named.FindIndex(argument => argument.Key == name);
        if (at >= 0)
        {
            object? value = named[at].Value;
            named.RemoveAt(at);
            return value;
        }

        int fromEnd = definition.Parameters.Length - parameter;
        return fromEnd <= definition.Defaults.Length
            ? definition.Defaults[^fromEnd].Evaluate(context, scope)
            : new Undefined($"the parameter '{name}' of macro '{Name}' was not given");
    }

    private static PyDict Kwargs(RenderContext context, List<KeyValuePair<string, object?>> named)
    {
        context.Allocate(96L * named.Count + 200);
        var dictionary = new PyDict();
        foreach ((string name, object? value) in named)
            dictionary.Set(name, value);
        return dictionary;
    }
}
