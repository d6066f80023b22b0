namespace Portable.Fuzzing;

/// <summary>A brief run over every target; the long one is Program.cs.</summary>
public sealed class FuzzTests
{
    private const int Inputs = 1500;

    private static readonly string s_folder = Directory.CreateTempSubdirectory("portable-fuzz-").FullName;

    private static IEnumerable<TestCaseData> Targets() => FuzzTarget.All(s_folder).Select(t => new TestCaseData(t).SetName($"Broken input of {t.Name}"));

    [OneTimeTearDown]
    public void Remove_the_folder() => Directory.Delete(s_folder, recursive: true);

    [TestCaseSource(nameof(Targets))]
    public void Mutated_inputs_are_read_or_refused_by_a_typed_error_in_bounded_time_and_memory(object target)
    {
        FuzzRun run = FuzzRun.Over((FuzzTarget)target, Inputs, seed: 1);
        TestContext.Out.WriteLine($"{run.Refused} of {run.Inputs} refused, longest {run.Longest.TotalMilliseconds:f1} ms, most {run.MostAllocated:N0} bytes");
        Assert.That(run.Fault, Is.Null);
        Assert.That(run.Refused, Is.GreaterThan(run.Inputs / 50), "mutations that nothing refuses test nothing");
    }
}
