using System.Diagnostics;
using System.Globalization;
using Portable.Conformance;

// The suite without a test framework: `dotnet Backends.Conformance.dll LEAF...` runs every check on the leaves named, so
// that a child process can run it with some instruction sets switched off. Exit code 0: all that is offered conforms.
Console.WriteLine($"vectors: {VectorTier.Current} bits");
int failed = 0;
foreach (string name in args)
{
    Leaf? leaf = Leaves.All.FirstOrDefault(l => l.Name == name);
    if (leaf is null)
    {
        Console.Error.WriteLine($"no leaf '{name}'; there are {string.Join(", ", Leaves.All.Select(l => l.Name))}");
        return 2;
    }

    int passed = 0, skipped = 0, wrong = 0;
    var watch = Stopwatch.StartNew();
    foreach (Check check in ConformanceChecks.All)
    {
        try
        {
            CheckRunner.Run(leaf, check);
            passed++;
        }
        catch (NotOfferedException)
        {
            skipped++;
        }
#pragma warning disable CA1031 // A check may fail in any way; all are reported.
        catch (Exception error)
#pragma warning restore CA1031
        {
            wrong++;
            Console.WriteLine($"FAILED {leaf.Name}: {check.Name}: {error.GetType().Name}: {error.Message}");
        }
    }

    failed += wrong;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{leaf.Name}: {passed} passed, {wrong} failed, {skipped} not offered, {watch.Elapsed.TotalSeconds:f1} s"));
}

return args.Length == 0 ? 2 : failed == 0 ? 0 : 1;
