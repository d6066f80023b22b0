using System.Diagnostics;
using System.Globalization;
using Portable.Conformance;

// The suite without a test framework: `dotnet Backends.Conformance.dll [--only PART|...] LEAF...` runs every check on the
// leaves named (or those whose names hold one of the parts), so that a child process can run it with some instruction sets
// switched off, or an emulator can. Exit code 0: all that is offered conforms.
string[] parts = args is ["--only", string only, ..] ? only.Split('|') : [];
args = parts.Length > 0 ? args[2..] : args;
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
    foreach (Check check in ConformanceChecks.All.Where(c => parts.Length == 0 || parts.Any(part => c.Name.Contains(part, StringComparison.Ordinal))))
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
