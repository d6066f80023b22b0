using System.Diagnostics;

namespace Portable.Benchmarks.Generation;

/// <summary>Speed while another process takes a core, beside all threads on the free machine and one thread alone: what busy waiting must not cost.</summary>
internal static class HogBenchmark
{
    private const int Rounds = 3, Steps = 32, Few = 128, Many = 512;

    public static async Task Run(int threads, string path)
    {
        using ModelRun one = await ModelRun.Load(path, 1, Many + Steps + 64), all = await ModelRun.Load(path, threads, Many + Steps + 64);
        Console.WriteLine($"{Machine.Conditions(threads)}; {Path.GetFileName(path)}, {Rounds} rounds in turn; medians of tokens/s");
        await Measure(one);
        await Measure(all);
        List<double[]> alone = [], hogged = [], free = [];
        for (int round = 0; round < Rounds; round++)
        {
            alone.Add(await Measure(one));
            using (new Hog())
                hogged.Add(await Measure(all));
            free.Add(await Measure(all));
        }

        Console.WriteLine($"{"",-16}{"1 thread",10}{$"{threads} threads",12}{"one core taken",16}{"taken / 1 thread",18}");
        string[] names = ["decode", $"prefill {Few}", $"prefill {Many}"];
        for (int i = 0; i < names.Length; i++)
        {
            double ratio = Median(hogged, i) / Median(alone, i);
            Console.WriteLine($"{names[i],-16}{Median(alone, i),10:f1}{Median(free, i),12:f1}{Median(hogged, i),16:f1}{ratio,18:f2} (at least 0.85: {(ratio >= 0.85 ? "yes" : "NO")})");
        }
    }

    /// <summary>What the other process does: nothing, as fast as it can, until whoever started it ends.</summary>
    public static void Spin()
    {
        new Thread(static () =>
        {
            while (Console.In.Read() >= 0)
            {
            }

            Environment.Exit(0);
        }) { IsBackground = true }.Start();
        while (true)
            Thread.SpinWait(1000);
    }

    private static async Task<double[]> Measure(ModelRun run)
    {
        AnswerTimes few = await run.Answer(Few, Steps), many = await run.Answer(Many, 0);
        return [1 / few.Step, Few / few.Prefill, Many / many.Prefill];
    }

    private static double Median(List<double[]> rounds, int figure) => rounds.Select(r => r[figure]).Order().ElementAt(rounds.Count / 2);

    private sealed class Hog : IDisposable
    {
        private readonly Process _process;

        public Hog()
        {
            string program = Environment.ProcessPath!;
            // Started as "dotnet Portable.Benchmarks.dll", the process is dotnet.
            string[] arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(Hog).Assembly.Location, "spin"] : ["spin"];
            _process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true })!;
            // It has begun when it has used some time.
            while (!_process.HasExited && _process.TotalProcessorTime.TotalMilliseconds < 200)
            {
                Thread.Sleep(20);
                _process.Refresh();
            }

            if (_process.HasExited)
                throw new InvalidOperationException($"the process that was to take a core ended with {_process.ExitCode}");
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
