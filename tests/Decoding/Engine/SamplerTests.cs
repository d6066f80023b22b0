using Portable.Decoding;
using Portable.Decoding.Engine;

namespace Portable.Tests.Engine;

/// <summary>Tokens are drawn from the distribution that the options define: checked by formula and by counting draws.</summary>
[TestFixture]
public sealed class SamplerTests
{
    private const int Draws = 40_000;
    private static readonly float[] Small = [1.5f, -0.3f, 0.8f, 2.1f, 0, -4, 1.2f, 2.0f];

    [Test]
    public void Greedy_takes_the_first_of_the_largest_logits([Values(1, 7, 8, 33, 1000)] int length)
    {
        var random = new Random(length);
        for (int i = 0; i < 50; i++)
        {
            float[] logits = [.. Enumerable.Range(0, length).Select(_ => (float)random.Next(20))];
            Assert.That(Choose(logits, new SamplingOptions()), Is.EqualTo(Array.IndexOf(logits, logits.Max())));
        }
    }

    private static IEnumerable<TestCaseData> Distributions()
    {
        yield return Case("temperature 1", new() { Temperature = 1 });
        yield return Case("temperature 0.5", new() { Temperature = 0.5f });
        yield return Case("temperature 3", new() { Temperature = 3 });
        yield return Case("top-k 3", new() { Temperature = 1, TopK = 3 });
        yield return Case("top-k 1", new() { Temperature = 1, TopK = 1 });
        yield return Case("top-k of all", new() { Temperature = 1, TopK = 100 });
        yield return Case("top-p 0.6", new() { Temperature = 1, TopP = 0.6f });
        yield return Case("top-p 0.9 at temperature 2", new() { Temperature = 2, TopP = 0.9f });
        yield return Case("top-p that the first token reaches", new() { Temperature = 1, TopP = 0.1f });
        yield return Case("min-p 0.3", new() { Temperature = 1, MinP = 0.3f });
        yield return Case("min-p 1", new() { Temperature = 1, MinP = 1 });
        yield return Case("all of them", new() { Temperature = 1.3f, MinP = 0.05f, TopK = 5, TopP = 0.8f });
        yield return Case("a bias", new() { Temperature = 1, LogitBias = new Dictionary<int, float> { [5] = 6, [3] = -100 } });

        static TestCaseData Case(string name, SamplingOptions options) => new TestCaseData(options).SetName($"Draws_follow_the_distribution_of {name}");
    }

    [TestCaseSource(nameof(Distributions))]
    public void Draws_follow_the_distribution(SamplingOptions options)
    {
        double[] expected = Expected(Small, options);
        var sampler = new Sampler(Small.Length);
        sampler.Start(options with { Seed = 12345 }, []);
        int[] counts = new int[Small.Length];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Choose(Small)]++;
        for (int i = 0; i < counts.Length; i++)
        {
            if (expected[i] == 0)
            {
                Assert.That(counts[i], Is.Zero, $"token {i} is excluded");
                continue;
            }

            double deviation = Math.Sqrt(Draws * expected[i] * (1 - expected[i]));
            Assert.That(counts[i], Is.EqualTo(Draws * expected[i]).Within((5 * deviation) + 1e-6), $"token {i}");
        }
    }

    [Test]
    public void Penalties_follow_their_formulas()
    {
        var options = new SamplingOptions
        {
            RepetitionPenalty = 1.5f, PresencePenalty = 0.4f, FrequencyPenalty = 0.25f, Temperature = 1, Seed = 9,
            LogitBias = new Dictionary<int, float> { [2] = 0.5f },
        };
        int[] prompt = [0, 1], output = [3, 3, 5, 2];
        float[] adjusted = [.. Small];
        adjusted[2] += 0.5f;
        foreach (int token in prompt.Concat(output).Distinct())
            adjusted[token] = adjusted[token] > 0 ? adjusted[token] / 1.5f : adjusted[token] * 1.5f;
        foreach (IGrouping<int, int> seen in output.GroupBy(t => t))
            adjusted[seen.Key] -= 0.4f + (0.25f * seen.Count());
        double[] expected = Expected(adjusted, new SamplingOptions { Temperature = 1 });

        var sampler = new Sampler(Small.Length);
        sampler.Start(options, prompt);
        foreach (int token in output)
            sampler.Accept(token);
        int[] counts = new int[Small.Length];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Choose(Small)]++;
        for (int i = 0; i < counts.Length; i++)
            Assert.That(counts[i], Is.EqualTo(Draws * expected[i]).Within(5 * Math.Sqrt(Draws * expected[i])), $"token {i}");

        sampler.Start(options with { Temperature = 0 }, prompt);
        foreach (int token in output)
            sampler.Accept(token);
        Assert.That(sampler.Choose(Small), Is.EqualTo(Array.IndexOf(adjusted, adjusted.Max())), "greedy takes the largest after bias and penalties");
    }

    [Test]
    public void The_same_seed_gives_the_same_tokens_and_others_differ()
    {
        Assert.That(Run(1), Is.EqualTo(Run(1)));
        Assert.That(Run(1), Is.Not.EqualTo(Run(2)));
        Assert.That(Run(-1), Is.EqualTo(Run(-1)));
        Assert.That(Run(null), Is.Not.EqualTo(Run(null)), "without a seed each output draws its own");

        static int[] Run(long? seed)
        {
            var sampler = new Sampler(Small.Length);
            sampler.Start(new SamplingOptions { Temperature = 1, Seed = seed }, []);
            return [.. Enumerable.Range(0, 64).Select(_ => sampler.Choose(Small))];
        }
    }

    [Test]
    public void Log_probabilities_are_the_log_softmax_and_the_top_list_is_ordered([Values(8, 300, 5000)] int vocabulary)
    {
        var random = new Random(vocabulary);
        float[] logits = [.. Enumerable.Range(0, vocabulary).Select(_ => (float)((random.NextDouble() * 30) - 10))];
        double logSum = Math.Log(logits.Sum(l => Math.Exp(l)));
        var sampler = new Sampler(vocabulary);
        var top = new TokenLogProbability[6];
        float own = sampler.LogProbabilities(logits, 5, top);
        Assert.That(own, Is.EqualTo(logits[5] - logSum).Within(1e-5));
        int[] order = [.. Enumerable.Range(0, vocabulary).OrderByDescending(i => logits[i]).Take(6)];
        Assert.That(top.Select(t => t.Token), Is.EqualTo(order));
        for (int i = 0; i < top.Length; i++)
            Assert.That(top[i].LogProbability, Is.EqualTo(logits[order[i]] - logSum).Within(1e-5));
    }

    [Test]
    public void The_nucleus_of_a_huge_flat_vocabulary_is_found_whole()
    {
        const int vocabulary = 256_000;
        float[] logits = new float[vocabulary];
        var sampler = new Sampler(vocabulary);
        sampler.Start(new SamplingOptions { Temperature = 1, TopP = 0.5f, Seed = 4 }, []);
        var seen = new HashSet<int>();
        for (int i = 0; i < 20; i++)
            seen.Add(sampler.Choose(logits));
        Assert.That(seen, Has.Count.GreaterThan(15));

        var random = new Random(1);
        for (int i = 0; i < vocabulary; i++)
            logits[i] = (float)(random.NextDouble() * 2);
        double[] expected = Expected(logits, new SamplingOptions { Temperature = 1, TopP = 0.3f });
        sampler.Start(new SamplingOptions { Temperature = 1, TopP = 0.3f, Seed = 4 }, []);
        for (int i = 0; i < 50; i++)
            Assert.That(expected[sampler.Choose(logits)], Is.Positive);
    }

    [TestCase(float.NaN, float.NaN)]
    [TestCase(float.NaN, 1)]
    [TestCase(float.PositiveInfinity, 1)]
    [TestCase(float.PositiveInfinity, float.NaN)]
    [TestCase(float.NegativeInfinity, float.NegativeInfinity)]
    [TestCase(float.NegativeInfinity, 1)]
    public void Logits_that_are_no_numbers_give_a_token_and_no_crash(float bad, float last)
    {
        foreach (int length in (int[])[3, 100, 5000])
        {
            float[] logits = [.. Enumerable.Repeat(bad, length)];
            logits[^1] = last;
            foreach (SamplingOptions options in (SamplingOptions[])
                [new(), new() { Temperature = 1 }, new() { Temperature = 1, TopK = 2, TopP = 0.5f, MinP = 0.1f, RepetitionPenalty = 2, LogitBias = new Dictionary<int, float> { [1] = 3 } }])
            {
                int token = Choose(logits, options);
                Assert.That(token, Is.InRange(0, length - 1));
                if (last == 1 && !float.IsPositiveInfinity(bad))
                    Assert.That(token, Is.EqualTo(length - 1), "the one number wins");
            }

            Assert.DoesNotThrow(() => new Sampler(length).LogProbabilities(logits, 0, new TokenLogProbability[3]));
        }
    }

    [TestCase(nameof(SamplingOptions.Temperature))]
    [TestCase(nameof(SamplingOptions.TopK))]
    [TestCase(nameof(SamplingOptions.TopP))]
    [TestCase(nameof(SamplingOptions.MinP))]
    [TestCase(nameof(SamplingOptions.RepetitionPenalty))]
    [TestCase(nameof(SamplingOptions.PresencePenalty))]
    [TestCase(nameof(SamplingOptions.FrequencyPenalty))]
    [TestCase(nameof(SamplingOptions.TopLogProbabilities))]
    [TestCase(nameof(SamplingOptions.LogitBias))]
    public void An_option_out_of_range_is_refused_by_name(string name)
    {
        SamplingOptions options = name switch
        {
            nameof(SamplingOptions.Temperature) => new() { Temperature = float.NaN },
            nameof(SamplingOptions.TopK) => new() { TopK = -1 },
            nameof(SamplingOptions.TopP) => new() { TopP = 0 },
            nameof(SamplingOptions.MinP) => new() { MinP = 1.5f },
            nameof(SamplingOptions.RepetitionPenalty) => new() { RepetitionPenalty = 0 },
            nameof(SamplingOptions.PresencePenalty) => new() { PresencePenalty = float.NaN },
            nameof(SamplingOptions.FrequencyPenalty) => new() { FrequencyPenalty = float.NegativeInfinity },
            nameof(SamplingOptions.TopLogProbabilities) => new() { TopLogProbabilities = 1000 },
            _ => new() { LogitBias = new Dictionary<int, float> { [8] = 1 } },
        };
        var error = Assert.Catch<InvalidInputException>(() => options.Validate(Small.Length));
        Assert.That(error!.Input, Does.Contain(name));
    }

    [Test]
    public async Task A_model_reports_the_log_probabilities_of_its_own_logits_whatever_the_options()
    {
        using var tiny = new TinyModel(seed: 6);
        using PortableModel model = await Loading.LoadAsync(tiny);
        var options = new GenerationOptions
        {
            MaxTokens = 4, IgnoreEndTokens = true, Sampling = new SamplingOptions { TopLogProbabilities = 4, LogitBias = new Dictionary<int, float> { [65] = 500 } },
        };
        await foreach (GeneratedToken token in model.Generate(new ModelPrompt([40, 41]), options))
        {
            Assert.That(token.Token, Is.EqualTo(65), "the bias decides");
            Assert.That(token.Top, Has.Count.EqualTo(4));
            Assert.That(token.Top.Select(t => t.LogProbability), Is.Ordered.Descending);
            Assert.That(token.LogProbability, Is.LessThanOrEqualTo(token.Top[0].LogProbability));
            Assert.That(token.Top.Sum(t => Math.Exp(t.LogProbability)), Is.LessThanOrEqualTo(1.0001));
        }

        int[] plain = await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 8);
        int[] again = await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 8, new SamplingOptions { TopLogProbabilities = 0 });
        Assert.That(again, Is.EqualTo(plain), "asking for log-probabilities changes no token");
        int[] hot = await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 8, new SamplingOptions { Temperature = 5, Seed = 1 });
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 8, new SamplingOptions { Temperature = 5, Seed = 1 }), Is.EqualTo(hot));
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 8, new SamplingOptions { Temperature = 5, Seed = 2 }), Is.Not.EqualTo(hot));
    }

    private static int Choose(float[] logits, SamplingOptions options)
    {
        var sampler = new Sampler(logits.Length);
        sampler.Start(options with { Seed = 1 }, []);
        return sampler.Choose(logits);
    }

    /// <summary>The distribution by definition, in float64.</summary>
    private static double[] Expected(float[] logits, SamplingOptions options)
    {
        double[] scores = [.. logits.Select((l, i) => (l + (options.LogitBias?.GetValueOrDefault(i) ?? 0)) / (double)options.Temperature)];
        double largest = scores.Max();
        double[] probabilities = [.. scores.Select(s => Math.Exp(s - largest))];
        int[] order = [.. Enumerable.Range(0, logits.Length).Where(i => probabilities[i] >= options.MinP - 1e-7).OrderByDescending(i => probabilities[i])];
        if (options.TopK > 0)
            order = [.. order.Take(options.TopK)];
        double mass = order.Sum(i => probabilities[i]), sum = 0;
        int count = 0;
        while (count < order.Length && (count == 0 || sum < options.TopP * mass))
            sum += probabilities[order[count++]];
        double[] expected = new double[logits.Length];
        foreach (int token in order.Take(count))
            expected[token] = probabilities[token] / sum;
        return expected;
    }
}
