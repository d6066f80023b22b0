using System.Globalization;
using System.Text.Json;

namespace Portable.Tests.Models;

/// <summary>A quantised tiny model with the reference's logits, and what int8 activations cost a reference engine.</summary>
/// <param name="Name">The case's name.</param>
/// <param name="Model">The model's file or folder.</param>
/// <param name="Golden">The reference's logits.</param>
/// <param name="IsMoe">Whether it is a mixture of experts.</param>
/// <param name="MustRun">Whether family and format are supported, so that skipping it would be a fault.</param>
/// <param name="Int8">What int8 activations cost.</param>
internal sealed record QuantizedCase(string Name, string Model, string Golden, bool IsMoe, bool MustRun, QuantizedCase.Bar Int8)
{
    private static readonly HashSet<string> SupportedTypes =
    [
        "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K",
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4",
        "TQ1_0", "TQ2_0", "Q1_0", "Q2_0",
    ];

    /// <summary>The cases of quant/checkpoints, with the bar for groups of 32.</summary>
    public static IEnumerable<QuantizedCase> Checkpoints()
    {
        if (Fixtures.Find("quant", "checkpoints", "checkpoints.json") is not { } index)
            yield break;
        string folder = Path.GetDirectoryName(index)!;
        using JsonDocument json = Fixtures.Json(index);
        foreach (JsonProperty entry in json.RootElement.EnumerateObject())
        {
            string model = Path.Combine(folder, entry.Value.TryGetProperty("folder", out JsonElement named) ? named.GetString()! : entry.Name);
            bool isMoe = entry.Value.GetProperty("architecture").GetProperty("arch").GetString()!.Contains("moe", StringComparison.Ordinal);
            yield return new(
                entry.Name, model, Path.Combine(model, "golden.safetensors"), isMoe, !isMoe, Bar.Read(entry.Value.GetProperty("int8_activations").GetProperty("32")));
        }
    }

    /// <summary>The cases of gguf/models, with llama.cpp's own figures as the bar.</summary>
    public static IEnumerable<QuantizedCase> GgufModels()
    {
        if (Fixtures.Find("gguf", "models", "models.json") is not { } index)
            yield break;
        string folder = Path.GetDirectoryName(index)!;
        using JsonDocument json = Fixtures.Json(index);
        foreach (JsonProperty entry in json.RootElement.GetProperty("models").EnumerateObject())
        {
            string model = Path.Combine(folder, entry.Value.GetProperty("files")[0].GetString()!);
            yield return new(
                entry.Name, model, Path.Combine(folder, entry.Value.GetProperty("golden").GetString()!), false,
                entry.Value.GetProperty("tensor_types").EnumerateObject().All(t => SupportedTypes.Contains(t.Value.GetString()!)),
                Bar.Read(entry.Value.GetProperty("int8_activations").GetProperty("llama.cpp")));
        }
    }

    /// <summary>What int8 activations cost the reference.</summary>
    internal sealed record Bar(double RmsOverRms, int TopAgree, int TopTotal, int GreedyAgree, int GreedyTotal)
    {
        public static Bar Read(JsonElement entry)
        {
            (int top, int topTotal) = Fraction(entry.GetProperty("top1_agree"));
            (int greedy, int greedyTotal) = Fraction(entry.GetProperty("greedy_top1"));
            return new(entry.GetProperty("rms_over_rms").GetDouble(), top, topTotal, greedy, greedyTotal);
        }

        private static (int Count, int Total) Fraction(JsonElement text)
        {
            string[] parts = text.GetString()!.Split('/');
            return (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
        }
    }
}
