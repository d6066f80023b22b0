using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// The <c>quantization_config</c> of config.json. It says in which layout quantised modules are stored; which modules
/// those are follows from the tensors that exist.
/// </summary>
/// <param name="Method">The <c>quant_method</c>: awq, gptq, compressed-tensors …</param>
/// <param name="Version">The layout among those of the method (<c>version</c>, <c>checkpoint_format</c> or <c>format</c>), lower case; null if not given.</param>
/// <param name="Bits">Bits of a code; null if not given.</param>
/// <param name="GroupSize">Inputs that share a scale, -1 for whole rows; null if not given.</param>
public sealed record QuantizationConfig(string Method, string? Version, int? Bits, int? GroupSize)
{
    /// <inheritdoc/>
    public override string ToString() => string.Join(' ', new[]
    {
        Method,
        Version,
        Bits is { } bits ? $"{bits} bit" : null,
        GroupSize switch { null => null, -1 => "whole rows", { } size => $"g{size}" },
    }.Where(static part => part is not null));

    /// <summary>Reads the section; null where the config has none.</summary>
    internal static QuantizationConfig? Read(string file, JsonElement config)
    {
        if (!config.TryGetProperty("quantization_config", out JsonElement section) || section.ValueKind == JsonValueKind.Null)
            return null;
        if (section.ValueKind != JsonValueKind.Object)
            throw new InvalidModelException(file, "quantization_config", $"found a JSON {section.ValueKind}, expected an object");
        string method = Text(file, section, "quant_method")
            ?? throw new InvalidModelException(file, "quantization_config.quant_method", "the field is missing; it names the method");
        string? version = Text(file, section, "version") ?? Text(file, section, "checkpoint_format") ?? Text(file, section, "format");
        return new QuantizationConfig(
            method.ToLowerInvariant(), version?.ToLowerInvariant(), Number(file, section, "bits"), Number(file, section, "group_size"));
    }

    private static string? Text(string file, JsonElement section, string field)
    {
        if (!section.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.String)
            throw new InvalidModelException(file, $"quantization_config.{field}", $"found a JSON {value.ValueKind}, expected a string");
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidModelException(file, $"quantization_config.{field}", "the string is not valid Unicode", e);
        }
    }

    private static int? Number(string file, JsonElement section, string field)
    {
        if (!section.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number))
            return number;
        throw new InvalidModelException(file, $"quantization_config.{field}", $"found {Shorten(value.GetRawText())}, expected an integer");
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..39] + "…";
}
