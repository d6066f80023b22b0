using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Portable.Checkpoints;

/// <summary>
/// The metadata of a GGUF file. Its bytes are a copy, so it outlives the checkpoint. Thread-safe. A getter accepts
/// every type that holds the value exactly as asked for: any integer type for an int where the number fits. The
/// <c>Try</c> forms give false only for a key that is absent; a value of a wrong type is an error in both forms.
/// </summary>
public sealed class GgufMetadata
{
    private readonly string _file;
    private readonly Dictionary<string, GgufValue> _values;

    internal GgufMetadata(string file, IReadOnlyList<string> keys, Dictionary<string, GgufValue> values, ReadOnlyMemory<byte> bytes)
    {
        Bytes = bytes;
        _file = file;
        _values = values;
        Keys = keys;
    }

    /// <summary>All keys, in the order of the file.</summary>
    public IReadOnlyList<string> Keys { get; }

    /// <summary>The file that they were read from.</summary>
    internal string File => _file;

    /// <summary>The pairs as they lie in the file.</summary>
    internal ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Finds a value of any type.</summary>
    public bool TryGet(string key, out GgufValue value) => _values.TryGetValue(key, out value);

    /// <summary>An integer; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type or does not fit.</exception>
    public bool TryGetInt32(string key, out int value)
    {
        value = 0;
        if (!_values.TryGetValue(key, out GgufValue found))
            return false;
        if (!GgufValue.IsInteger(found.Type))
            throw Wrong(key, found, "an integer");
        Int128 number = found.Integer();
        value = number >= int.MinValue && number <= int.MaxValue ? (int)number : throw Wrong(key, found, "an integer of 32 bits");
        return true;
    }

    /// <summary>An integer that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent, of another type or does not fit.</exception>
    public int GetInt32(string key) => TryGetInt32(key, out int value) ? value : throw Missing(key);

    /// <summary>A number, rounded to float32 where it is stored wider; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is not a number.</exception>
    public bool TryGetFloat(string key, out float value)
    {
        value = 0;
        if (!_values.TryGetValue(key, out GgufValue found))
            return false;
        if (!GgufValue.IsInteger(found.Type) && !GgufValue.IsFloat(found.Type))
            throw Wrong(key, found, "a number");
        value = (float)found.Number();
        return true;
    }

    /// <summary>A number that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent or not a number.</exception>
    public float GetFloat(string key) => TryGetFloat(key, out float value) ? value : throw Missing(key);

    /// <summary>A bool; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetBoolean(string key, out bool value)
    {
        value = false;
        if (!_values.TryGetValue(key, out GgufValue found))
            return false;
        value = found.Type == GgufValueType.Boolean ? found.Bytes.Span[0] != 0 : throw Wrong(key, found, "a bool");
        return true;
    }

    /// <summary>A bool that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent or of another type.</exception>
    public bool GetBoolean(string key) => TryGetBoolean(key, out bool value) ? value : throw Missing(key);

    /// <summary>A string as text, invalid UTF-8 replaced; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetString(string key, [NotNullWhen(true)] out string? value)
    {
        value = null;
        if (!_values.TryGetValue(key, out GgufValue found))
            return false;
        value = found.Type == GgufValueType.String ? found.Text() : throw Wrong(key, found, "a string");
        return true;
    }

    /// <summary>A string that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent or of another type.</exception>
    public string GetString(string key) => TryGetString(key, out string? value) ? value : throw Missing(key);

    /// <summary>An array of integers; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type or an element does not fit.</exception>
    public bool TryGetInt32Array(string key, [NotNullWhen(true)] out int[]? values)
    {
        values = null;
        if (!TryGetArray(key, GgufValue.IsInteger, "an array of integers", out GgufValue found))
            return false;
        values = new int[found.Count];
        return found.TryIntegers(values) ? true : throw Wrong(key, found, "an array of integers of 32 bits");
    }

    /// <summary>An array of integers that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent, of another type or an element does not fit.</exception>
    public int[] GetInt32Array(string key) => TryGetInt32Array(key, out int[]? values) ? values : throw Missing(key);

    /// <summary>An array of numbers; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetFloatArray(string key, [NotNullWhen(true)] out float[]? values)
    {
        values = null;
        if (!TryGetArray(key, static t => GgufValue.IsInteger(t) || GgufValue.IsFloat(t), "an array of numbers", out GgufValue found))
            return false;
        found.Numbers(values = new float[found.Count]);
        return true;
    }

    /// <summary>An array of numbers that must exist.</summary>
    /// <exception cref="InvalidModelException">It is absent or of another type.</exception>
    public float[] GetFloatArray(string key) => TryGetFloatArray(key, out float[]? values) ? values : throw Missing(key);

    /// <summary>An array of bools; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetBooleanArray(string key, [NotNullWhen(true)] out bool[]? values)
    {
        values = null;
        if (!TryGetArray(key, static t => t == GgufValueType.Boolean, "an array of bools", out GgufValue found))
            return false;
        values = new bool[found.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = found.Bytes.Span[i] != 0;
        return true;
    }

    /// <summary>An array of strings as stored, without a copy: the tokens of real vocabularies hold parts of characters. False where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetBytesArray(string key, [NotNullWhen(true)] out ReadOnlyMemory<byte>[]? values)
    {
        values = null;
        if (!TryGetArray(key, static t => t == GgufValueType.String, "an array of strings", out GgufValue found))
            return false;
        values = new ReadOnlyMemory<byte>[found.Count];
        int i = 0;
        foreach (GgufValue item in found.Items)
            values[i++] = item.Bytes;
        return true;
    }

    /// <summary>An array of strings that must exist, as stored.</summary>
    /// <exception cref="InvalidModelException">It is absent or of another type.</exception>
    public ReadOnlyMemory<byte>[] GetBytesArray(string key) =>
        TryGetBytesArray(key, out ReadOnlyMemory<byte>[]? values) ? values : throw Missing(key);

    /// <summary>An array of strings as text, invalid UTF-8 replaced; false where the key is absent.</summary>
    /// <exception cref="InvalidModelException">It is of another type.</exception>
    public bool TryGetStringArray(string key, [NotNullWhen(true)] out string[]? values)
    {
        values = TryGetBytesArray(key, out ReadOnlyMemory<byte>[]? bytes)
            ? Array.ConvertAll(bytes, static b => Encoding.UTF8.GetString(b.Span)) : null;
        return values is not null;
    }

    /// <summary>An array of strings that must exist, as text.</summary>
    /// <exception cref="InvalidModelException">It is absent or of another type.</exception>
    public string[] GetStringArray(string key) => TryGetStringArray(key, out string[]? values) ? values : throw Missing(key);

    private bool TryGetArray(string key, Func<GgufValueType, bool> accepts, string expected, out GgufValue value)
    {
        if (!_values.TryGetValue(key, out value))
            return false;
        return value.Type == GgufValueType.Array && accepts(value.ElementType) ? true : throw Wrong(key, value, expected);
    }

    private InvalidModelException Missing(string key) => new(_file, key, "the metadata key is missing");

    private InvalidModelException Wrong(string key, GgufValue found, string expected) => new(
        _file, key,
        found.Type == GgufValueType.Array
            ? $"found an array of {found.Count} {found.ElementType}, expected {expected}"
            : $"found {found} ({found.Type}), expected {expected}");
}
