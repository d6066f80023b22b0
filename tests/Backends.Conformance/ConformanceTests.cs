using Portable.Conformance;

namespace Portable.Tests;

/// <summary>Every check on one device; a case for each, skipped by name where the device does not offer what it is about.</summary>
public abstract class ConformanceTests(Leaf leaf)
{
    [TestCaseSource(nameof(Cases))]
    public void Conforms(Check check)
    {
        try
        {
            CheckRunner.Run(leaf, check);
        }
        catch (NotOfferedException missing)
        {
            Assert.Ignore($"not offered by {leaf.Name}: {missing.Message}");
        }
    }

    private static IEnumerable<TestCaseData> Cases() => ConformanceChecks.All.Select(c => new TestCaseData(c).SetName(c.Name));
}

/// <summary>The foreign device.</summary>
public sealed class ForeignConformanceTests() : ConformanceTests(Leaves.Foreign);

/// <summary>The CPU in reference mode.</summary>
public sealed class CpuReferenceConformanceTests() : ConformanceTests(Leaves.CpuReference);

/// <summary>The CPU in fast mode.</summary>
public sealed class CpuFastConformanceTests() : ConformanceTests(Leaves.CpuFast);
