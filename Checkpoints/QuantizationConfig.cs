using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// The <c>quantization_config</c> of config.json. It says in which layout quantised modules are stored; which modules
/// those are follows from the tensors that exist.
/// </summary>
/// <param name="Method">The <c>quant_method</c>: awq, gptq, compressed-tensors …</param>
/// <param name="Version">The layout among those of the method (<c>version</c>, <c>checkpoint_format</c>, <c>format</c> or <c>bnb_4bit_quant_type</c>), lower case; null if not given.</param>
/// <param name="Bits">Bits of a code; null if not given, or not the same for all modules.</param>
/// <param name="GroupSize">Inputs that share a scale, -1 for whole rows; null if not given, or not the same for all modules.</param>
public sealed record QuantizationConfig(string Method, string? Version, int? Bits, int? GroupSize)
{
    /// <summary>Outputs and inputs of a block that shares a scale; null if not given.</summary>
    internal (int Rows, int Columns)? Block { get; init; }

    /// <summary>What compressed-tensors says of the weights of each group of modules.</summary>
    internal IReadOnlyList<Scheme> Schemes { get; init; } = [];

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
        method = method.ToLowerInvariant();
        string? version = method switch
        {
            "gptq" => Text(file, section, "checkpoint_format"),
            "bitsandbytes" => Text(file, section, "bnb_4bit_quant_type"),
            _ => Text(file, section, "version") ?? Text(file, section, "checkpoint_format") ?? Text(file, section, "format"),
        };
        List<Scheme> schemes = [];
        (int, int)? block = Pair(file, section, "weight_block_size");
        if (Object(file, section, "config_groups") is { } groups)
        {
            foreach (JsonProperty group in groups.EnumerateObject())
            {
                if (group.Value.ValueKind != JsonValueKind.Object || Object(file, group.Value, "weights") is not { } weights)
                    continue;
                schemes.Add(new Scheme(Number(file, weights, "num_bits"), Number(file, weights, "group_size")));
                block ??= Pair(file, weights, "block_structure");
            }
        }

        Scheme? only = schemes.Distinct().Count() == 1 ? schemes[0] : null;
        return new QuantizationConfig(
            method, version?.ToLowerInvariant(), Number(file, section, "bits") ?? only?.Bits, Number(file, section, "group_size") ?? only?.GroupSize)
        {
            Block = block,
            Schemes = schemes,
        };
    }

    private static JsonElement? Object(string file, JsonElement section, string field)
    {
        if (!section.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == JsonValueKind.Object ? value : throw new InvalidModelException(
            file, $"quantization_config.{field}", $"found a JSON {value.ValueKind}, expected an object");
    }

    private static (int Rows, int Columns)? Pair(string file, JsonElement section, string field)
    {
        if (!section.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2
            && value[0].ValueKind == JsonValueKind.Number && value[0].TryGetInt32(out int rows) && rows > 0
            && value[1].ValueKind == JsonValueKind.Number && value[1].TryGetInt32(out int columns) && columns > 0)
        {
            return (rows, columns);
        }

        throw new InvalidModelException(file, $"quantization_config.{field}", $"found {Shorten(value.GetRawText())}, expected two positive integers");
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

    /// <summary>How the weights of a group of modules are stored.</summary>
    internal readonly record struct Scheme(int? Bits, int? GroupSize);
}
