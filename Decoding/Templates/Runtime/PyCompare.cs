using System.Numerics;

namespace Portable.Decoding.Templates;

/// <summary>Truth, equality, order, hashing and membership as Python defines them.</summary>
internal static class PyCompare
{
    public static bool Truth(object? value) => value switch
    {
        null => false,
        bool truth => truth,
        string text => text.Length > 0,
        long number => number != 0,
        double number => number != 0,
        BigInteger number => !number.IsZero,
        Undefined => false,
        Markup marked => marked.Text.Length > 0,
        PySequence sequence => sequence.Items.Length > 0,
        PyDict dictionary => dictionary.Count > 0,
        DictView view => view.Dictionary.Count > 0,
        PyRange range => range.Count > 0,
        _ => true,
    };

    public static bool Equal(RenderContext context, object? a, object? b)
    {
        a = PyText.Unmark(a);
        b = PyText.Unmark(b);
        if (ReferenceEquals(a, b))
            return a is not double.NaN;
        switch (a, b)
        {
            case (string x, string y):
                context.Step(x.Length >> 9);
                return x == y;
            case (PyList x, PyList y):
                return SequenceEqual(context, x.Items, y.Items);
            case (PyTuple x, PyTuple y):
                return SequenceEqual(context, x.Items, y.Items);
            case (PyDict x, PyDict y):
                if (x.Count != y.Count)
                    return false;
                context.Enter(3);
                foreach ((object? key, object? value) in x.Entries)
                {
                    context.Step();
                    if (!y.TryGet(key, out object? other) || !Equal(context, value, other))
                    {
                        context.Leave(3);
                        return false;
                    }
                }

                context.Leave(3);
                return true;
            case (PyRange x, PyRange y):
                return x.Count == y.Count && (x.Count == 0 || (x.Start == y.Start && (x.Count == 1 || x.Step == y.Step)));
            default:
                return KeyEquals(a, b);
        }
    }

    /// <summary>-1, 0 or 1; null where a NaN makes every order false.</summary>
    public static int? Order(RenderContext context, object? a, object? b)
    {
        a = PyText.Unmark(a);
        b = PyText.Unmark(b);
        if ((a as Undefined ?? b as Undefined) is { } undefined)
            throw context.Error(undefined.Kind, undefined.Hint);
        if (PyNumber.IsNumber(a) && PyNumber.IsNumber(b))
            return CompareNumbers(a!, b!);
        switch (a, b)
        {
            case (string x, string y):
                context.Step(Math.Min(x.Length, y.Length) >> 9);
                return PyText.Compare(x, y);
            case (PySequence x, PySequence y) when x is PyList == y is PyList:
                context.Enter(3);
                for (int i = 0; i < x.Items.Length && i < y.Items.Length; i++)
                {
                    context.Step();
                    if (!Equal(context, x.Items[i], y.Items[i]))
                    {
                        int? order = Order(context, x.Items[i], y.Items[i]);
                        context.Leave(3);
                        return order;
                    }
                }

                context.Leave(3);
                return x.Items.Length.CompareTo(y.Items.Length);
            default:
                throw context.TypeError($"{PyText.TypeName(a)} and {PyText.TypeName(b)} have no order");
        }
    }

    public static bool Contains(RenderContext context, object? container, object? item)
    {
        switch (PyText.Unmark(container))
        {
            case string text:
                if (PyText.Unmark(item) is not string part)
                    throw context.TypeError($"only a string can be in a string, not {PyText.TypeName(item)}");
                context.Step(text.Length >> 6);
                return text.Contains(part, StringComparison.Ordinal);
            case PyDict dictionary:
                RequireHashable(context, item);
                return dictionary.Contains(item);
            case DictView { Kind: DictViewKind.Keys } view:
                RequireHashable(context, item);
                return view.Dictionary.Contains(item);
            case PyRange range when item is long number:
                return range.Step > 0
                    ? number >= range.Start && number < range.Stop && (number - range.Start) % range.Step == 0
                    : number <= range.Start && number > range.Stop && (range.Start - number) % -range.Step == 0;
            default:
                foreach (object? element in PyIteration.Iterate(context, container))
                {
                    context.Step();
                    if (Equal(context, element, item))
                        return true;
                }

                return false;
        }
    }

    /// <summary>Fails for what cannot be a key: lists and objects, also inside tuples.</summary>
    public static void RequireHashable(RenderContext context, object? key)
    {
        switch (key)
        {
            case PyList or PyDict or PyNamespace:
                throw context.TypeError($"{PyText.TypeName(key)} cannot be a key");
            case PyTuple tuple:
                context.Enter(2);
                foreach (object? item in tuple.Items)
                {
                    context.Step();
                    RequireHashable(context, item);
                }

                context.Leave(2);
                break;
        }
    }

    // Tuples as keys are walked without a context: RequireHashable has bounded their depth.
    public static bool KeyEquals(object? a, object? b)
    {
        if (PyNumber.IsNumber(a) && PyNumber.IsNumber(b))
            return CompareNumbers(a!, b!) == 0;
        if (a is PyTuple x && b is PyTuple y)
        {
            if (x.Items.Length != y.Items.Length)
                return false;
            for (int i = 0; i < x.Items.Length; i++)
            {
                if (!KeyEquals(x.Items[i], y.Items[i]))
                    return false;
            }

            return true;
        }

        if (a is Undefined && b is Undefined)
            return true;
        return PyText.Unmark(a) is string s && PyText.Unmark(b) is string t ? s == t : ReferenceEquals(a, b);
    }

    public static int KeyHash(object? key)
    {
        switch (PyText.Unmark(key))
        {
            case string text:
                return text.GetHashCode();
            case double number when number != Math.Floor(number) || Math.Abs(number) > 1e18:
                return Math.Abs(number) > 1e18 && double.IsFinite(number) ? new BigInteger(number).GetHashCode() : number.GetHashCode();
            case double number:
                return HashCode.Combine((long)number);
            case long number:
                return HashCode.Combine(number);
            case bool truth:
                return HashCode.Combine(truth ? 1L : 0L);
            case BigInteger number:
                return number.GetHashCode();
            case PyTuple tuple:
                var hash = new HashCode();
                foreach (object? item in tuple.Items)
                    hash.Add(KeyHash(item));
                return hash.ToHashCode();
            case Undefined:
                return 1;
            case null:
                return 2;
            default:
                return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key);
        }
    }

    private static bool SequenceEqual(RenderContext context, object?[] a, object?[] b)
    {
        if (a.Length != b.Length)
            return false;
        context.Enter(3);
        bool equal = true;
        for (int i = 0; i < a.Length && equal; i++)
        {
            context.Step();
            equal = Equal(context, a[i], b[i]);
        }

        context.Leave(3);
        return equal;
    }

    private static int? CompareNumbers(object a, object b)
    {
        if (a is long x && b is long y)
            return x.CompareTo(y);
        if (a is double || b is double)
        {
            double left = a is double p ? p : double.NaN, right = b is double q ? q : double.NaN;
            if (a is double && b is double)
                return double.IsNaN(left) || double.IsNaN(right) ? null : left.CompareTo(right);
            double number = a is double ? left : right;
            if (double.IsNaN(number))
                return null;
            int order = double.IsInfinity(number) ? Math.Sign(number) : CompareExact(number, PyNumber.Big(a is double ? b : a));
            return a is double ? order : -order;
        }

        return PyNumber.Big(a).CompareTo(PyNumber.Big(b));
    }

    private static int CompareExact(double number, BigInteger integer)
    {
        double whole = Math.Floor(number);
        int order = new BigInteger(whole).CompareTo(integer);
        return order == 0 && number > whole ? 1 : order;
    }
}
