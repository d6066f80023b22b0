using System.Globalization;
using Portable.Fuzzing;

// The long run: `dotnet Fuzzing.dll [INPUTS] [SEED] [TARGET...]`, by default a million inputs for each target. Exit code 0: no crash, no hang, no excess.
int inputs = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000;
int seed = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1;
string[] wanted = args.Length > 2 ? args[2..] : [];
// In memory where the system has such a place: files are written a million times.
string folder = Directory.Exists("/dev/shm") ? Directory.CreateDirectory($"/dev/shm/portable-fuzz-{Environment.ProcessId}").FullName : Directory.CreateTempSubdirectory("portable-fuzz-").FullName;
bool isSound = true;
try
{
    Console.WriteLine($"{"target",-16}{"inputs",10}{"refused",10}{"seconds",10}{"longest ms",12}{"most MiB",10}");
    foreach (FuzzTarget target in FuzzTarget.All(folder).Where(t => wanted.Length == 0 || wanted.Contains(t.Name)))
    {
        FuzzRun run = FuzzRun.Over(target, inputs, seed);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{run.Target,-16}{run.Inputs,10}{run.Refused,10}{run.Seconds,10:f0}{run.Longest.TotalMilliseconds,12:f0}{run.MostAllocated / 1048576.0,10:f1}"));
        if (run.Fault is not null)
        {
            isSound = false;
            Console.WriteLine($"  FAULT: {run.Fault}");
        }
    }
}
finally
{
    Directory.Delete(folder, recursive: true);
}

return isSound ? 0 : 1;
