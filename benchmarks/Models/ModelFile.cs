namespace Portable.Benchmarks.Models;

/// <summary>The models that measurements use, by shape and type.</summary>
internal static class ModelFile
{
    private const string SmolLM2 = "smollm2-135m";

    /// <summary>Writes one; <paramref name="source"/> is the file that SmolLM2 is made of.</summary>
    public static void Write(string shape, string type, string path, string? source)
    {
        QwenModel? qwen = QwenModel.All.FirstOrDefault(q => q.Name == shape);
        if (qwen is not null && type is ("q4_0" or "q4_k_m"))
            qwen.Write(type, path);
        else if (shape == SmolLM2 && type == "q4_0" && source is not null)
            Requantizer.Write(source, path);
        else
            throw new ArgumentException($"no model {shape} {type}{(shape == SmolLM2 ? "; it is made as q4_0 of its Q4_1 file" : "")}");
    }
}
