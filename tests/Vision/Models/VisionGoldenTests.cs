using System.Text.Json;
using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Decoding.Model;
using Portable.Testing.Foreign;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>
/// Tiny checkpoints of every vision-language family against transformers, from the messages and the image files on:
/// prompt, ids and positions exact; tower output, features and logits within the goldens' own tolerances; greedy tokens
/// identical. Tolerances are those of the checkpoints' VLM.md.
/// </summary>
[TestFixture]
[Category("Golden")]
public sealed class VisionGoldenTests
{
    private const double FeatureToleranceOverStd = 5e-5;
    private const double LogitToleranceOverStd = 2e-3;

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.All))]
    public void MessagesBecomeTheReferencesPromptIdsAndPositions(string folder, string name)
    {
        JsonElement golden = VisionCases.Golden(folder, name);
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        var built = loaded.Prompt(VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors"))));
        Assert.That(built.Text, Is.EqualTo(golden.GetProperty("prompt").GetString()));
        Assert.That(built.Prompt.Tokens, Is.EqualTo(tensors.Ints($"{name}/input_ids")));
        int[] positions = loaded.Positions(built.Prompt, out int delta);
        if (tensors.Contains($"{name}/position_ids"))
        {
            Assert.That(positions, Is.EqualTo(tensors.Ints($"{name}/position_ids")));
            Assert.That(delta, Is.EqualTo(golden.GetProperty("rope_delta").GetInt32()));
        }
        else
        {
            Assert.That(positions, Is.EqualTo(Enumerable.Range(0, built.Prompt.Tokens.Count)), "positions of a model with one axis");
        }

        Assert.That(
            Joined(built.Prompt.Spans),
            Is.EqualTo(golden.GetProperty("mm_positions").EnumerateArray().Select(p => (p.GetProperty("start").GetInt32(), p.GetProperty("length").GetInt32()))));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.All))]
    public void TheTowersOutputAndFeaturesAreTheReferences(string folder, string name)
    {
        JsonElement golden = VisionCases.Golden(folder, name);
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        ModelPrompt prompt = loaded.Prompt(VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors")))).Prompt;
        var hidden = new List<float>();
        var features = new List<float>();
        var layers = new List<float>[loaded.Encoder.Config.DeepstackLayers.Count];
        for (int layer = 0; layer < layers.Length; layer++)
            layers[layer] = [];
        foreach (PreparedImage image in prompt.Images)
        {
            using EncodedImage encoded = loaded.Encoder.Encode(image, loaded.Stream, default);
            hidden.AddRange(InRows(loaded, image));
            features.AddRange(loaded.Download(encoded.Features));
            Assert.That(encoded.LayerFeatures, Has.Count.EqualTo(layers.Length));
            for (int layer = 0; layer < layers.Length; layer++)
                layers[layer].AddRange(loaded.Download(encoded.LayerFeatures[layer]));
        }

        Assert.That(tensors.Contains($"{name}/image_features"), Is.EqualTo(prompt.Images.Count > 0));
        if (prompt.Images.Count == 0)
            return;
        if (tensors.Contains($"{name}/vision_hidden") && HasHidden(loaded))
            Near(hidden, "vision_hidden");
        Near(features, "image_features");
        for (int layer = 0; layer < layers.Length; layer++)
            Near(layers[layer], $"deepstack_{layer}");
        Assert.That(tensors.Contains($"{name}/deepstack_{layers.Length}"), Is.False, "further deepstack features");

        void Near(List<float> found, string what)
        {
            float[] wanted = tensors.Floats($"{name}/{what}");
            double error = Logits.MaxError(found.ToArray(), wanted) / Std(wanted);
            TestContext.Out.WriteLine($"{what}: {error:E1} std");
            Assert.That(error, Is.LessThanOrEqualTo(FeatureToleranceOverStd), what);
        }
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.All))]
    public void LogitsAndGreedyTokensAreTheReferences(string folder, string name)
    {
        JsonElement golden = VisionCases.Golden(folder, name);
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        double std = golden.GetProperty("logits_std").GetDouble(), tolerance = LogitToleranceOverStd * std;
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        ModelPrompt prompt = loaded.Prompt(VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors")))).Prompt;
        int[] ids = [.. prompt.Tokens], positions = loaded.Positions(prompt, out int delta), best = tensors.Ints($"{name}/argmax");
        float[] last = tensors.Floats($"{name}/logits_last16"), decoded = tensors.Floats($"{name}/decode_logits");
        int[] greedy = tensors.Ints($"{name}/greedy_ids");
        PromptMedia? media = loaded.Encode(prompt);
        int vocabulary = loaded.Model.Decoder.Config.VocabularySize;

        DecoderSession session = loaded.Session(chunkTokens: ids.Length);
        session.Prefill(ids, positions, media, ids.Length);
        float[] all = session.AllLogits().ToArray();
        int rows = last.Length / vocabulary;
        Assert.That(Logits.MaxError(all.AsSpan((ids.Length - rows) * vocabulary), last), Is.LessThanOrEqualTo(tolerance), "prefill");
        for (int p = 0; p < ids.Length; p++)
        {
            // The gap between first and second can be below the tolerance: then the reference's token may come second.
            ReadOnlySpan<float> row = all.AsSpan(p * vocabulary, vocabulary);
            Assert.That(row[best[p]], Is.GreaterThanOrEqualTo(row[Logits.Best(row)] - (2 * tolerance)), $"best token at {p}");
        }

        Decode(session, all[^vocabulary..], "decode");

        // Chunks that cut the images.
        const int chunk = 16;
        DecoderSession chunked = loaded.Session(chunk);
        int tail = 0;
        for (int start = 0; start < ids.Length; start += tail)
            tail = chunked.ChunkAt(start, ids.Length, media);
        chunked.Prefill(ids, positions, media, tail);
        float[] end = chunked.AllLogits().ToArray();
        Assert.That(Logits.MaxError(end, last.AsSpan((rows - tail) * vocabulary)), Is.LessThanOrEqualTo(tolerance), "prefill in chunks");
        Decode(chunked, end[^vocabulary..], "decode after prefill in chunks");

        void Decode(DecoderSession sequence, float[] logits, string what)
        {
            var found = new List<int>();
            int compared = 0;
            for (int step = 0; step < greedy.Length; step++)
            {
                if (golden.GetProperty("decode_logits_steps").EnumerateArray().Any(s => s.GetInt32() == step))
                {
                    ReadOnlySpan<float> wanted = decoded.AsSpan(compared++ * vocabulary, vocabulary);
                    Assert.That(Logits.MaxError(logits, wanted), Is.LessThanOrEqualTo(tolerance), $"{what}, step {step}");
                }

                found.Add(Logits.Best(logits));
                sequence.Decode(found[^1], sequence.Length + delta);
                logits = sequence.Logits().ToArray();
            }

            Assert.That(found, Is.EqualTo(greedy), what);
            Assert.That(compared * vocabulary, Is.EqualTo(decoded.Length), $"{what}, compared steps");
        }
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.All))]
    public async Task TheEngineGeneratesTheReferencesGreedyTokens(string folder, string name)
    {
        JsonElement golden = VisionCases.Golden(folder, name);
        int[] greedy = new GoldenTensors(Path.Combine(folder, "golden.safetensors")).Ints($"{name}/greedy_ids");
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        ModelPrompt prompt = loaded.Prompt(VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors")))).Prompt;
        var options = new GenerationOptions { MaxTokens = greedy.Length, IgnoreEndTokens = true };
        Assert.That(await Tokens(loaded.Model.Generate(prompt, options)), Is.EqualTo(greedy));
        Assert.That(loaded.Model.Tokenizer.Decode(greedy, skipSpecialTokens: false), Is.EqualTo(golden.GetProperty("greedy_text").GetString()));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.All))]
    public void Float16LogitsOnTheForeignDeviceAreNearTheReferences(string folder, string name)
    {
        JsonElement golden = VisionCases.Golden(folder, name);
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        double std = golden.GetProperty("logits_std").GetDouble();
        float[] last = tensors.Floats($"{name}/logits_last16"), decoded = tensors.Floats($"{name}/decode_logits");
        int[] greedy = tensors.Ints($"{name}/greedy_ids");
        var backend = new ForeignBackend();
        bool isAmplifying;
        using (var loaded = new LoadedVisionModel(folder, backend))
        {
            isAmplifying = loaded.Model.Decoder.Config.Experts is not null || loaded.Model.Decoder.Config.Delta is not null;
            ModelPrompt prompt = loaded.Prompt(VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors")))).Prompt;
            int[] ids = [.. prompt.Tokens], positions = loaded.Positions(prompt, out int delta);
            int vocabulary = loaded.Model.Decoder.Config.VocabularySize;
            DecoderSession session = loaded.Session(chunkTokens: ids.Length);
            session.Prefill(ids, positions, loaded.Encode(prompt), last.Length / vocabulary);
            Check(session.AllLogits().ToArray(), last, "prefill");

            // Teacher-forced: along the reference's own tokens.
            var rows = new List<float>();
            for (int step = 1; step < greedy.Length; step++)
            {
                session.Decode(greedy[step - 1], session.Length + delta);
                if (golden.GetProperty("decode_logits_steps").EnumerateArray().Any(s => s.GetInt32() == step))
                    rows.AddRange(session.Logits());
            }

            Check(rows.ToArray(), decoded, "decode");
        }

        Assert.That(backend.Leaks, Is.Empty);

        void Check(float[] found, float[] wanted, string what)
        {
            double max = Logits.MaxError(found, wanted) / std, rms = Logits.RmsError(found, wanted) / std;
            TestContext.Out.WriteLine($"{what}: max {max:F4} std, rms {rms:F5} std");
            Assert.That(max, Is.LessThanOrEqualTo((isAmplifying ? Float16Bounds.AmplifyingMax : Float16Bounds.Max) * Float16Bounds.WithTower), $"{what}, max over std");
            Assert.That(rms, Is.LessThanOrEqualTo((isAmplifying ? Float16Bounds.AmplifyingRms : Float16Bounds.Rms) * Float16Bounds.WithTower), $"{what}, rms over std");
        }
    }

    /// <summary>Runs of image tokens; those that follow each other directly as one.</summary>
    private static List<(int Start, int Length)> Joined(IReadOnlyList<MediaSpan> spans)
    {
        var joined = new List<(int Start, int Length)>();
        foreach (MediaSpan span in spans)
        {
            if (joined.Count > 0 && joined[^1].Start + joined[^1].Length == span.Start)
                joined[^1] = (joined[^1].Start, joined[^1].Length + span.Length);
            else
                joined.Add((span.Start, span.Length));
        }

        return joined;
    }

    // What the goldens call vision_hidden comes after a norm that LLaVA's features do without, in LLaVA-NeXT from a later layer, in GLM-4V after the downsampling.
    private static bool HasHidden(LoadedVisionModel loaded) =>
        loaded.Encoder.Config is { HasNewline: false, Connector: not ConnectorKind.GatedMerger };

    /// <summary>The tower's output for an image as the goldens have it: towers that are not Qwen's row by row, not block by block.</summary>
    private static float[] InRows(LoadedVisionModel loaded, PreparedImage image)
    {
        VisionTowerConfig config = loaded.Encoder.Config;
        float[] hidden = loaded.Download(loaded.Encoder.LastHidden);
        if (config.Connector == ConnectorKind.Merger || config.MergeSize == 1)
            return hidden;
        PatchGrid grid = loaded.Encoder.GridOf(image);
        int each = grid.Rows * grid.Columns, width = config.Width;
        int[] positions = grid.Positions(null);
        float[] ordered = new float[hidden.Length];
        for (int frame = 0; frame < grid.Frames; frame++)
        {
            int first = frame * (each + config.ClassRows);
            hidden.AsSpan(first * width, config.ClassRows * width).CopyTo(ordered.AsSpan(first * width));
            for (int i = 0; i < each; i++)
            {
                int row = positions[(frame * each) + i], column = positions[grid.Patches + (frame * each) + i];
                hidden.AsSpan((first + config.ClassRows + i) * width, width)
                    .CopyTo(ordered.AsSpan((first + config.ClassRows + (row * grid.Columns) + column) * width));
            }
        }

        return ordered;
    }

    internal static async Task<List<int>> Tokens(Generation generation)
    {
        var tokens = new List<int>();
        await foreach (GeneratedToken token in generation)
            tokens.Add(token.Token);
        return tokens;
    }

    private static double Std(float[] values)
    {
        double mean = values.Average(v => (double)v);
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }
}
