using System.Text.Json;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Decoding.Templates;
using Portable.Decoding.Tokenization;

namespace Portable.Tests.Models;

/// <summary>
/// Tiny checkpoints of every text family, as safetensors and as GGUF, against transformers: tokens exact, logits within
/// the golden's own tolerance in float32, greedy tokens identical, prefill whole, in chunks and token by token.
/// </summary>
[TestFixture]
[Category("Golden")]
public sealed class TextCheckpointTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("checkpoints") is not { } folder)
        {
            yield return Fixtures.Absent("checkpoints");
            yield break;
        }

        foreach (string checkpoint in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            string golden = Path.Combine(checkpoint, "golden.json");
            if (!File.Exists(golden))
                continue;
            using JsonDocument json = Fixtures.Json(golden);
            if (!json.RootElement.TryGetProperty("prompts", out _))
                continue;
            string name = Path.GetFileName(checkpoint);
            yield return new TestCaseData(checkpoint, checkpoint).SetName($"{name} safetensors");
            if (json.RootElement.TryGetProperty("gguf", out JsonElement gguf) && gguf.TryGetProperty("file", out JsonElement file)
                && file.ValueKind == JsonValueKind.String)
                yield return new TestCaseData(checkpoint, Path.Combine(checkpoint, file.GetString()!)).SetName($"{name} gguf");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Float32LogitsAndGreedyTokensAreTheReferences(string folder, string model)
    {
        SkipUnlessSupported(model);
        using JsonDocument golden = Fixtures.Json(Path.Combine(folder, "golden.json"));
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        double tolerance = golden.RootElement.GetProperty("tolerance_absolute").GetDouble();
        int steps = golden.RootElement.GetProperty("greedy_steps").GetInt32();
        using var decoder = new LoadedDecoder(model, TestDevice.CpuReference, context: 512);
        foreach (JsonElement prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            string name = prompt.GetProperty("name").GetString()!;
            int[] ids = Ints(prompt.GetProperty("input_ids"));
            int comparable = ComparableTokens(folder, model);
            if (ids.Length > comparable)
                continue;
            float[] expected = tensors.Floats(prompt.GetProperty("logits_tensor").GetString()!);
            float[] whole = decoder.Logits(ids);
            Assert.That(Logits.MaxError(whole, expected), Is.LessThanOrEqualTo(tolerance), $"{name}, prefill");
            Assert.That(Logits.MaxError(decoder.Logits(ids, chunk: 7), expected), Is.LessThanOrEqualTo(tolerance), $"{name}, chunks of 7");
            Assert.That(Logits.MaxError(decoder.LogitsByDecoding(ids), expected), Is.LessThanOrEqualTo(tolerance), $"{name}, token by token");

            int[] greedy = Ints(prompt.GetProperty("greedy_ids"));
            var rows = new List<float>();
            var found = new List<int>();
            decoder.Logits(ids);
            int vocabulary = decoder.Config.VocabularySize;
            float[] last = whole[^vocabulary..];
            int limit = Math.Min(steps, comparable - ids.Length);
            for (int i = 0; i < limit; i++)
            {
                rows.AddRange(last);
                found.Add(Logits.Best(last));
                decoder.Session.Decode(found[^1], decoder.Session.Length);
                Assert.That(decoder.Session.BestToken(), Is.EqualTo(Logits.Best(decoder.Session.Logits())), "the device's arg max");
                last = decoder.Session.Logits().ToArray();
            }

            Assert.That(found, Is.EqualTo(greedy.Take(limit)), $"{name}, greedy");
            if (prompt.TryGetProperty("greedy_logits_tensor", out JsonElement tensor) && tensor.ValueKind == JsonValueKind.String)
            {
                float[] greedyLogits = tensors.Floats(tensor.GetString()!)[..rows.Count];
                Assert.That(Logits.MaxError(rows.ToArray(), greedyLogits), Is.LessThanOrEqualTo(tolerance), $"{name}, greedy logits");
            }
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Float16LogitsOnTheForeignDeviceAreNearTheReferences(string folder, string model)
    {
        SkipUnlessSupported(model);
        using JsonDocument golden = Fixtures.Json(Path.Combine(folder, "golden.json"));
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        double std = golden.RootElement.GetProperty("logits_std").GetDouble();
        using var decoder = new LoadedDecoder(model, TestDevice.Foreign, context: 256);
        bool isAmplifying = decoder.Config.Experts is not null || decoder.Config.Delta is not null;
        foreach (JsonElement prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            string name = prompt.GetProperty("name").GetString()!;
            int[] ids = Ints(prompt.GetProperty("input_ids"));
            int comparable = ComparableTokens(folder, model);
            if (ids.Length > comparable)
                continue;
            float[] expected = tensors.Floats(prompt.GetProperty("logits_tensor").GetString()!);
            Check(decoder.Logits(ids), expected, "prefill");

            // Teacher-forced: captured decode steps, replayed along the reference's own tokens.
            if (!prompt.TryGetProperty("greedy_logits_tensor", out JsonElement tensor) || tensor.ValueKind != JsonValueKind.String)
                continue;
            int[] greedy = Ints(prompt.GetProperty("greedy_ids"));
            int vocabulary = decoder.Config.VocabularySize;
            var rows = new List<float>();
            int limit = Math.Min(greedy.Length - 1, comparable - ids.Length);
            for (int i = 0; i < limit; i++)
            {
                decoder.Session.Decode(greedy[i], decoder.Session.Length);
                rows.AddRange(decoder.Session.Logits());
            }

            Check(rows.ToArray(), tensors.Floats(tensor.GetString()!).AsSpan(vocabulary, rows.Count).ToArray(), "decode");

            void Check(float[] found, float[] wanted, string what)
            {
                double max = Logits.MaxError(found, wanted) / std, rms = Logits.RmsError(found, wanted) / std;
                TestContext.Out.WriteLine($"{name} {what}: max {max:F4} std, rms {rms:F5} std");
                Assert.That(max, Is.LessThanOrEqualTo(isAmplifying ? Float16Bounds.AmplifyingMax : Float16Bounds.Max), $"{name} {what}, max over std");
                Assert.That(rms, Is.LessThanOrEqualTo(isAmplifying ? Float16Bounds.AmplifyingRms : Float16Bounds.Rms), $"{name} {what}, rms over std");
            }
        }
    }

    private static IEnumerable<TestCaseData> LengthDependentCases()
    {
        bool isAny = false;
        foreach (TestCaseData model in Cases().Where(c => !c.Properties.ContainsKey(NUnit.Framework.Internal.PropertyNames.SkipReason)))
        {
            var path = (string)model.Arguments[1]!;
            using Checkpoint checkpoint = Checkpoint.Open(path);
            if (!IsSupported(checkpoint, out _))
                continue;
            RopeScaling scaling = DecoderDescription.Read(checkpoint).Config.Rope.Scaling;
            // Sequences are really run on both sides of the original context, so only short ones are taken.
            if (scaling.OriginalContext > 1024 || scaling.LengthClass(scaling.OriginalContext) == scaling.LengthClass(scaling.OriginalContext + 1))
                continue;
            isAny = true;
            yield return new TestCaseData(path, scaling.OriginalContext).SetName($"{model.TestName}");
        }

        if (!isAny)
            yield return Fixtures.Absent("checkpoints with a rope that depends on the sequence's length");
    }

    [TestCaseSource(nameof(LengthDependentCases))]
    public void AChangeOfTheRopeWithThePlannedLengthForgetsTheCacheAndOnlyThen(string model, int original)
    {
        int[] ids = [.. Enumerable.Range(0, 9).Select(i => 40 + (7 * i))];
        int[] positions = [.. Enumerable.Range(0, ids.Length)];
        // The foreign device replays a captured decode step: it must see the new frequencies too.
        using var decoder = new LoadedDecoder(model, TestDevice.Foreign, context: original * 2);
        float[] shortLogits = Run(original), longLogits = Run(original + 1);
        Assert.That(Logits.MaxError(shortLogits, longLogits), Is.GreaterThan(0.01));
        Assert.That(Run(original), Is.EqualTo(shortLogits));
        decoder.Session.PlanLength(ids.Length);
        Assert.That(decoder.Session.Length, Is.EqualTo(ids.Length), "the same frequencies: the cache stays");
        decoder.Session.PlanLength(original * 2);
        Assert.That(decoder.Session.Length, Is.Zero, "other frequencies: keys in the cache are rotated by the old ones");
        Assert.That(Run(original * 2), Is.EqualTo(longLogits));

        float[] Run(int planned)
        {
            decoder.Session.PlanLength(planned);
            decoder.Session.Truncate(0);
            decoder.Session.Prefill(ids.AsSpan(1), positions.AsSpan(..^1), null, 1);
            decoder.Session.Decode(ids[0], decoder.Session.Length);
            return decoder.Session.Logits().ToArray();
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void PromptsBecomeTheReferencesTokens(string folder, string model)
    {
        using JsonDocument golden = Fixtures.Json(Path.Combine(folder, "golden.json"));
        using Checkpoint checkpoint = Checkpoint.Open(model);
        SkipUnlessSupported(model);
        bool isGguf = checkpoint.Kind == CheckpointKind.Gguf;
        Tokenizer tokenizer = ModelFiles.ReadTokenizer(checkpoint);
        foreach (JsonElement prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            string name = prompt.GetProperty("name").GetString()!, text = prompt.GetProperty("text").GetString()!;
            // A GGUF vocabulary does not say whether text after a special token gets a space; where the golden notes that
            // this matters (the mistral templates), only prompts without special tokens can be asked of the file.
            if (isGguf && !golden.RootElement.GetProperty("gguf").GetProperty("llama_cpp_tokenizer_agrees").GetProperty(name).GetBoolean())
                continue;
            int[] ids = tokenizer.Encode(text, prompt.GetProperty("add_special_tokens").GetBoolean(), SpecialTokens.Parse);
            Assert.That(ids, Is.EqualTo(Ints(prompt.GetProperty("input_ids"))), name);
            string decoded = tokenizer.Decode(Ints(prompt.GetProperty("greedy_ids")), skipSpecialTokens: false);
            Assert.That(decoded, Is.EqualTo(prompt.GetProperty("greedy_text").GetString()), $"{name}, greedy text");
            if (!prompt.TryGetProperty("messages", out JsonElement messages) || isGguf)
                continue;
            ChatTemplate template = ModelFiles.ReadTemplate(checkpoint)!;
            var variables = new Dictionary<string, TemplateValue>
            {
                ["messages"] = TemplateValue.FromJson(messages),
                ["add_generation_prompt"] = prompt.GetProperty("add_generation_prompt").GetBoolean(),
            };
            foreach ((string token, string value) in ModelFiles.ReadSpecialTokens(checkpoint, tokenizer))
                variables[token] = value;
            Assert.That(template.Render(variables), Is.EqualTo(text), $"{name}, rendered");
        }
    }

    /// <summary>
    /// How many tokens of a sequence the file can reproduce: a mistral GGUF has no field for the window, so only what
    /// fits the window compares.
    /// </summary>
    private static int ComparableTokens(string folder, string model)
    {
        if (!model.EndsWith(".gguf", StringComparison.Ordinal))
            return int.MaxValue;
        using Checkpoint safetensors = Checkpoint.Open(folder), gguf = Checkpoint.Open(model);
        DecoderConfig original = DecoderDescription.Read(safetensors).Config, stored = DecoderDescription.Read(gguf).Config;
        return original.Windows.Max() > 0 && stored.Windows.Max() == 0 ? original.Windows.Where(w => w > 0).Min() : int.MaxValue;
    }

    internal static void SkipUnlessSupported(string model)
    {
        using Checkpoint checkpoint = Checkpoint.Open(model);
        if (!IsSupported(checkpoint, out string? architecture))
            Assert.Ignore($"family not supported yet: {architecture}");
    }

    private static bool IsSupported(Checkpoint checkpoint, out string architecture)
    {
        bool isGguf = checkpoint.Kind == CheckpointKind.Gguf;
        architecture = isGguf
            ? checkpoint.Metadata!.GetString("general.architecture")
            : checkpoint.Config!.Value.GetProperty("model_type").GetString()!;
        return (isGguf ? DecoderFamily.OfGguf(architecture) : DecoderFamily.OfModelType(architecture)) is not null;
    }

    internal static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
