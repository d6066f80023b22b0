namespace Portable.Tests.Models;

/// <summary>
/// Quantised tiny models against a float32 evaluation of their own dequantised weights: exact weights leave only the
/// rounding of float32 sums. The fast mode rounds activations to 8 bits and may lose what that costs, no more.
/// </summary>
[TestFixture]
[Category("Golden")]
public sealed class QuantizedModelTests
{
    private const float Tolerance = 1e-4f;

    private static IEnumerable<QuantizedCase> All(string kind) =>
        kind == "gguf/models" ? QuantizedCase.GgufModels() : QuantizedCase.Checkpoints();

    private static IEnumerable<TestCaseData> Cases()
    {
        foreach (string kind in (string[])["quant/checkpoints", "gguf/models"])
        {
            bool isAny = false;
            foreach (QuantizedCase model in All(kind))
            {
                isAny = true;
                yield return new TestCaseData(model).SetName($"{kind} {model.Name}");
            }

            if (!isAny)
                yield return Fixtures.Absent(kind);
        }
    }

    [TestCase("quant/checkpoints")]
    [TestCase("gguf/models")]
    public void Int8ActivationsCostNoMoreThanTheBar(string kind)
    {
        var ratios = new List<double>();
        double sum = 0, allowed = 0;
        int top = 0, topBar = 0, topTotal = 0, greedyTop = 0, greedyBar = 0, greedyTotal = 0;
        foreach (QuantizedCase model in All(kind))
        {
            if (model.IsMoe || Open(model, TestDevice.CpuFast) is not { } decoder)
                continue;
            using (decoder)
            {
                var golden = new GoldenTensors(model.Golden);
                double worst = 0;
                int vocabulary = decoder.Config.VocabularySize;
                for (int i = 0; golden.Contains($"prompt{i}.ids"); i++)
                {
                    float[] expected = golden.Floats($"prompt{i}.logits"), found = decoder.Logits(golden.Ints($"prompt{i}.ids"));
                    worst = Math.Max(worst, Logits.RmsError(found, expected) / Logits.Rms(expected));
                    for (int row = 0; row < found.Length; row += vocabulary)
                        top += Logits.Best(found.AsSpan(row, vocabulary)) == Logits.Best(expected.AsSpan(row, vocabulary)) ? 1 : 0;
                    float[] last = found[^vocabulary..];
                    foreach (int token in golden.Ints($"prompt{i}.greedy"))
                    {
                        greedyTop += Logits.Best(last) == token ? 1 : 0;
                        decoder.Session.Decode(token, decoder.Session.Length);
                        last = decoder.Session.Logits().ToArray();
                    }
                }

                TestContext.Out.WriteLine($"{model.Name}: rms over rms {worst:F4}, bar {model.Int8.RmsOverRms:F4}");
                Assert.That(worst, Is.LessThanOrEqualTo(1.15 * model.Int8.RmsOverRms), model.Name);
                sum += worst;
                allowed += model.Int8.RmsOverRms;
                topBar += model.Int8.TopAgree;
                topTotal += model.Int8.TopTotal;
                greedyBar += model.Int8.GreedyAgree;
                greedyTotal += model.Int8.GreedyTotal;
                ratios.Add(worst / model.Int8.RmsOverRms);
            }
        }

        if (ratios.Count == 0)
            Assert.Ignore($"fixtures absent, or none supported: {kind}");
        TestContext.Out.WriteLine(
            $"{ratios.Count} models: mean {sum / ratios.Count:F4} (bar {allowed / ratios.Count:F4}), top-1 {top} of {topTotal} (bar {topBar}), greedy {greedyTop} of {greedyTotal} (bar {greedyBar})");
        Assert.That(sum, Is.LessThanOrEqualTo(1.05 * allowed), "mean of rms over rms");
        Assert.That(top, Is.GreaterThanOrEqualTo(topBar - (3 * Math.Sqrt(topTotal - topBar))), "top-1 agreement at prompt positions");
        Assert.That(greedyTop, Is.GreaterThanOrEqualTo(greedyBar - (3 * Math.Sqrt(greedyTotal - greedyBar))), "top-1 agreement along greedy tokens");
    }

    /// <summary>Opens a model; null, with a note, when its family or format is not supported yet.</summary>
    private static LoadedDecoder? Open(QuantizedCase model, TestDevice device)
    {
        try
        {
            return new LoadedDecoder(model.Model, device, context: 256);
        }
        catch (UnsupportedException unsupported)
        {
            Assert.That(model.MustRun, Is.False, $"{model.Name} is of a supported family and format: {unsupported.Message}");
            TestContext.Out.WriteLine($"skipped {model.Name}: {unsupported.Message}");
            return null;
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Float32LogitsAndGreedyTokensAreTheReferences(object golden32)
    {
        var model = (QuantizedCase)golden32;
        if (Open(model, TestDevice.CpuReference) is not { } decoder)
        {
            Assert.Ignore($"not supported yet: {model.Name}");
            return;
        }

        using (decoder)
        {
            var golden = new GoldenTensors(model.Golden);
            int vocabulary = decoder.Config.VocabularySize;
            for (int i = 0; golden.Contains($"prompt{i}.ids"); i++)
            {
                int[] ids = golden.Ints($"prompt{i}.ids");
                float[] expected = golden.Floats($"prompt{i}.logits"), whole = decoder.Logits(ids);
                Assert.That(Logits.MaxError(whole, expected), Is.LessThanOrEqualTo(Tolerance), $"prompt {i}, prefill");
                Assert.That(Logits.MaxError(decoder.LogitsByDecoding(ids), expected), Is.LessThanOrEqualTo(Tolerance), $"prompt {i}, token by token");
                var greedy = new List<int>();
                float[] last = whole[^vocabulary..];
                int[] wanted = golden.Ints($"prompt{i}.greedy");
                while (greedy.Count < wanted.Length)
                {
                    greedy.Add(Logits.Best(last));
                    decoder.Session.Decode(greedy[^1], decoder.Session.Length);
                    last = decoder.Session.Logits().ToArray();
                }

                Assert.That(greedy, Is.EqualTo(wanted), $"prompt {i}, greedy");
            }
        }
    }
}
