using Portable.Benchmarks;

string mode = args.FirstOrDefault() ?? "help";
int threads = args.Length > 1 && int.TryParse(args[1], out int given) ? given : Math.Min(Environment.ProcessorCount, 2);
switch (mode)
{
    case "decode":
        PackedBenchmarks.Decode(threads, args.ElementAtOrDefault(2) ?? "");
        return 0;
    case "prefill":
        PackedBenchmarks.Prefill(threads);
        return 0;
    case "pack":
        PackedBenchmarks.Pack(threads);
        return 0;
    case "tile":
        PackedBenchmarks.Tile();
        return 0;
    case "load":
        LoadBenchmark.Run(threads, args.ElementAtOrDefault(2));
        return 0;
    case "pool":
        PoolBenchmark.Run(threads);
        return 0;
    default:
        Console.WriteLine("""
            Portable.Benchmarks MODE [THREADS [FILTER]]
              decode    one row times packed matrices streamed from memory: GB/s beside a plain read in the same run;
                        FILTER picks lines by a part of their shape and format, such as "1536x576 u4 g32 a"
              prefill   many rows times packed matrices: GOPS (2 per multiply-add), quantisation of activations included
              pack      packing canonical matrices, as loading does
              tile      the inner kernels on data in the first-level cache, one core: GOPS and GB/s
              load      a checkpoint of 1.1 GB in AutoAWQ's layout into packed form, against reading and packing alone, and its
                        memory; FILTER names the folder that the checkpoint is written to (Linux)
              pool      what a section of the worker pool costs
            """);
        return mode == "help" ? 0 : 1;
}
