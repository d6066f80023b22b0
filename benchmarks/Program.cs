using Portable.Benchmarks;

string mode = args.FirstOrDefault() ?? "help";
int threads = args.Length > 1 && int.TryParse(args[1], out int given) ? given : Math.Min(Environment.ProcessorCount, 2);
switch (mode)
{
    case "decode":
        PackedBenchmarks.Decode(threads);
        return 0;
    case "prefill":
        PackedBenchmarks.Prefill(threads);
        return 0;
    case "tile":
        PackedBenchmarks.Tile();
        return 0;
    case "pool":
        PoolBenchmark.Run(threads);
        return 0;
    default:
        Console.WriteLine("""
            Portable.Benchmarks MODE [THREADS]
              decode    one row times packed matrices streamed from memory: GB/s beside a plain read in the same run
              prefill   many rows times packed matrices: GOPS (2 per multiply-add), quantisation of activations included
              tile      the inner kernels on data in the first-level cache, one core: GOPS and GB/s
              pool      what a section of the worker pool costs
            """);
        return mode == "help" ? 0 : 1;
}
