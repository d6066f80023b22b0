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
    case "gguf" when args.Length > 3 && ModelShape.All.FirstOrDefault(shape => shape.Name == args[1]) is { } shape:
        GgufFiles.WriteRandom(args[3], shape, args[2]);
        return 0;
    case "requantize" when args.Length > 2:
        GgufFiles.Requantize(args[1], args[2]);
        return 0;
    case "start" when args.Length > 2:
        await StartBenchmark.Run(threads, args[2]);
        return 0;
    case "head":
        PackedBenchmarks.Head(threads);
        return 0;
    case "bandwidth":
        PackedBenchmarks.Bandwidth(threads);
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
              start     from opening a model (FILTER names it) to accepting a prompt, and the memory of that (Linux)
              head      one row times a large 16-bit matrix, as a language model's head is: GB/s beside a plain read
              bandwidth what a plain read of 512 MiB of memory reaches, GB/s
              pool      what a section of the worker pool costs
            Portable.Benchmarks gguf 0.5b|1.5b q4_0|q4_k_m FILE    a GGUF file of random weights in the sizes of Qwen2.5
            Portable.Benchmarks requantize FILE FILE              a GGUF file with its Q4_1 matrices as Q4_0
            """);
        return mode == "help" ? 0 : 1;
}
