using Portable.Decoding.Architecture;
using Portable.Decoding.Model;

namespace Portable.Tests.Models;

/// <summary>Which experts a router's logits choose, with which weights, and how pairs of token and expert are sorted.</summary>
[TestFixture]
public sealed class ExpertRouterTests
{
    private static ExpertConfig Config(int count, int perToken) =>
        new() { Count = count, PerToken = perToken, FeedForwardSize = 1, Layers = [true] };

    [Test]
    public void TheBestOfASoftmaxAreChosenAndTheirWeightsSumToOne()
    {
        var router = new ExpertRouter(Config(4, 2), 1);
        router.Route([0f, 2f, -1f, 1f], [], 1);
        double sum = Math.Exp(2) + Math.Exp(1);
        Assert.That(router.Chosen.ToArray(), Is.EqualTo(new[] { 1, 3 }));
        Assert.That(router.Weights[0], Is.EqualTo(Math.Exp(2) / sum).Within(1e-6));
        Assert.That(router.Weights[1], Is.EqualTo(Math.Exp(1) / sum).Within(1e-6));
    }

    [Test]
    public void WithoutRenormalisationWeightsAreThoseOfTheSoftmaxOverAllExperts()
    {
        var router = new ExpertRouter(Config(4, 2) with { IsRenormalized = false, Scale = 3 }, 1);
        router.Route([0f, 2f, -1f, 1f], [], 1);
        double sum = 1 + Math.Exp(2) + Math.Exp(-1) + Math.Exp(1);
        Assert.That(router.Weights[0], Is.EqualTo(3 * Math.Exp(2) / sum).Within(1e-6));
        Assert.That(router.Weights[1], Is.EqualTo(3 * Math.Exp(1) / sum).Within(1e-6));
    }

    [Test]
    public void ABiasChangesTheChoiceButNotTheWeights()
    {
        var router = new ExpertRouter(Config(3, 2) with { Score = RouterScore.Sigmoid, Scale = 1.5f }, 1);
        router.Route([1f, 0f, -1f], [0f, -1f, 0f], 1);
        double first = 1 / (1 + Math.Exp(-1)), last = 1 / (1 + Math.Exp(1));
        Assert.That(router.Chosen.ToArray(), Is.EqualTo(new[] { 0, 2 }));
        Assert.That(router.Weights[0], Is.EqualTo(1.5 * first / (first + last)).Within(1e-6));
        Assert.That(router.Weights[1], Is.EqualTo(1.5 * last / (first + last)).Within(1e-6));
    }

    [Test]
    public void OnlyTheGroupsWithTheBestTwoScoresTakePart()
    {
        // The best expert of all is in the group whose two best sum to least.
        var router = new ExpertRouter(Config(6, 2) with { Score = RouterScore.Sigmoid, Groups = 3, GroupsPerToken = 1 }, 1);
        router.Route([3f, -9f, 1f, 1.5f, 0f, 2f], [], 1);
        Assert.That(router.Chosen.ToArray(), Is.EqualTo(new[] { 3, 2 }));
    }

    [Test]
    public void GroupsThatMayTakePartMixFreely()
    {
        var router = new ExpertRouter(Config(6, 2) with { Score = RouterScore.Sigmoid, Groups = 3, GroupsPerToken = 2 }, 1);
        router.Route([-9f, -9f, 1f, 1.5f, 0f, 2f], [], 1);
        Assert.That(router.Chosen.ToArray(), Is.EqualTo(new[] { 5, 3 }));
    }

    [Test]
    public void PairsAreSortedByExpertAndEveryChoiceFindsItsPair([Values(1, 7, 40)] int tokens)
    {
        const int Experts = 5, PerToken = 3;
        var random = new Random(tokens);
        float[] logits = [.. Enumerable.Range(0, tokens * Experts).Select(_ => (float)random.NextDouble())];
        var router = new ExpertRouter(Config(Experts, PerToken), 64);
        router.Route(logits, [], tokens);
        int[] offsets = router.Offsets.ToArray();
        Assert.That(offsets[0], Is.Zero);
        Assert.That(offsets[^1], Is.EqualTo(tokens * PerToken));
        for (int t = 0; t < tokens; t++)
        {
            int[] best = [.. Enumerable.Range(0, Experts).OrderByDescending(e => logits[(t * Experts) + e]).Take(PerToken)];
            for (int k = 0; k < PerToken; k++)
            {
                int pair = router.Places[(k * tokens) + t];
                Assert.That(router.Rows[pair], Is.EqualTo(t));
                Assert.That(pair, Is.InRange(offsets[best[k]], offsets[best[k] + 1] - 1));
            }
        }
    }

    [Test]
    public void LogitsThatAreNotNumbersStillGiveDistinctExperts()
    {
        var router = new ExpertRouter(Config(4, 3), 1);
        router.Route([float.NaN, float.NaN, float.PositiveInfinity, float.NaN], [], 1);
        Assert.That(router.Chosen.ToArray(), Is.Unique.And.All.InRange(0, 3));
        Assert.That(router.Offsets[^1], Is.EqualTo(3));
    }

    [TestCase(1, 1, 1, 1)]
    [TestCase(4, 5, 1, 1)]
    [TestCase(8, 2, 3, 1)]
    [TestCase(8, 2, 8, 1)]
    [TestCase(8, 3, 4, 1)]
    [TestCase(8, 2, 2, 3)]
    public void NumbersThatCannotBeAreNamed(int count, int perToken, int groups, int groupsPerToken) =>
        Assert.That((Config(count, perToken) with { Groups = groups, GroupsPerToken = groupsPerToken }).Fault(), Is.Not.Null);
}
