using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Perfolizer.Horology;

namespace Portable.Benchmarks.Kernels;

/// <summary>The kernels of the CPU backend at the shapes of a real model, each beside what bounds it, by BenchmarkDotNet in this process.</summary>
internal static class KernelBenchmarks
{
    public static int Threads { get; private set; } = 1;

    /// <summary>Whether fewer shapes are measured, and each for a shorter time.</summary>
    public static bool IsQuick { get; private set; }

    public static bool Run(int threads, bool isQuick)
    {
        Threads = threads;
        IsQuick = isQuick;
        var roofs = new Roofs(threads, PackedKernelBenchmark.Cases);
        // In this process, because a build of its own for each benchmark would take longer than the measurement.
        Job job = Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance)
            .WithWarmupCount(1).WithIterationCount(isQuick ? 3 : 8).WithIterationTime(TimeInterval.FromMilliseconds(isQuick ? 30 : 100));
        ManualConfig config = ManualConfig.CreateEmpty().AddJob(job)
            .AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params)
            .AddColumn(
                StatisticColumn.Median, StatisticColumn.Min, StatisticColumn.StdDev,
                new RoofColumn("GB/s", "bytes of weights or of keys and values, a second", 0, static (kernel, seconds) => $"{kernel.Bytes / seconds / 1e9:f1}"),
                new RoofColumn("GOPS", "operations a second, 2 for a multiply-add", 1, static (kernel, seconds) => $"{kernel.Operations / seconds / 1e9:f1}"),
                new RoofColumn("Bound", "what the kernel is compared with", 2, static (kernel, _) => $"{kernel.Bound}"),
                new RoofColumn("Of bound", "median speed in percent of the bound's", 3, (kernel, seconds) => $"{roofs.Seconds(kernel) / seconds:p1}"))
            .AddLogger(ConsoleLogger.Default)
            .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(48))
            .WithOptions(ConfigOptions.JoinSummary)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "portable-kernels"));
        var summaries = BenchmarkRunner.Run([typeof(PackedKernelBenchmark), typeof(AttentionKernelBenchmark), typeof(HeadKernelBenchmark)], config);
        Console.WriteLine(roofs);
        return summaries.All(static s => !s.HasCriticalValidationErrors && s.Reports.All(static r => r.Success));
    }
}
