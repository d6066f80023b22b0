using System.Globalization;
using Portable.Benchmarks;
using Portable.Benchmarks.Comparison;
using Portable.Benchmarks.Generation;
using Portable.Benchmarks.Images;
using Portable.Benchmarks.Kernels;
using Portable.Benchmarks.Models;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
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
    case "start" when args.Length > 2:
        await StartBenchmark.Run(threads, args[2]);
        return 0;
    case "context" when args.Length is 3 or 4:
        await ContextBenchmark.Run(threads, args[2], args.Length > 3 ? int.Parse(args[3]) : 8192);
        return 0;
    case "hog" when args.Length > 2:
        await HogBenchmark.Run(threads, args[2]);
        return 0;
    case "spin":
        HogBenchmark.Spin();
        return 0;
    case "tower":
        await TowerBenchmark.Run(threads, args.Length > 2 ? double.Parse(args[2]) : 0);
        return 0;
    case "kernels":
        return KernelBenchmarks.Run(threads, args.Contains("--quick")) ? 0 : 1;
    case "head":
        PackedBenchmarks.Head(threads);
        return 0;
    case "pool":
        PoolBenchmark.Run(threads);
        return 0;
    case "bandwidth":
        Console.WriteLine($"{threads} threads read {StreamingRead.Bandwidth(threads):f1} GB/s");
        return 0;
    case "gguf" when args.Length is 4 or 5:
        ModelFile.Write(args[1], args[2], args[3], args.ElementAtOrDefault(4));
        return 0;
    case "compare" when args.Length > 2:
        ComparisonRun.Measure(args[1], args[2], args[3..]);
        return 0;
    case "page" when args.Length is 2 or 3:
        ComparisonPage.Write(args[1], args.ElementAtOrDefault(2));
        return 0;
    default:
        Console.WriteLine("""
            Portable.Benchmarks MODE [THREADS [FILTER]]
              decode     one row times packed matrices streamed from memory: GB/s beside a plain read in the same run;
                         FILTER picks lines by a part of their shape and format, such as "1536x576 u4 g32 a"
              prefill    many rows times packed matrices: GOPS (2 per multiply-add), quantisation of activations included
              pack       packing canonical matrices, as loading does
              tile       the inner kernels on data in the first-level cache, one core: GOPS and GB/s
              load       a checkpoint of 1.1 GB in AutoAWQ's layout into packed form, against reading and packing alone, and its
                         memory; FILTER names the folder that the checkpoint is written to (Linux)
              start      from opening a model (FILTER names it) to accepting a prompt, and the memory of that (Linux)
              head       one row times a large 16-bit matrix, as a language model's head is: GB/s beside a plain read
              pool       what a section of the worker pool costs
              bandwidth  memory read once from front to back: GB/s
            Portable.Benchmarks context THREADS MODEL [TOKENS]
              prefill of TOKENS (8192) beside 512: GOPS; decoding after each: tokens/s beside a plain read of weights and KV cache
            Portable.Benchmarks hog THREADS MODEL
              decoding and prefill while another process takes a core, beside the free machine and one thread alone
            Portable.Benchmarks tower THREADS [SECONDS]
              an image of 1024 tokens to the first token, on Qwen2.5-VL-3B's shapes (writes 3.4 GB to the temporary folder): the best of the rounds
              begun in SECONDS (0: one round); the tower, and its matrix products alone, beside the peak of float32 multiply-adds
            Portable.Benchmarks kernels [THREADS] [--quick]
              BenchmarkDotNet over packed products, paged attention and the 16-bit head at Qwen2.5-1.5B's shapes, in percent of what bounds them
              (a plain read, the tile kernels in cache, float32 multiply-adds); --quick measures fewer shapes, each for a shorter time
            Portable.Benchmarks gguf SHAPE TYPE OUT [SOURCE]
              a model for measurements: SHAPE smollm2-135m (made of SOURCE, its Q4_1 file; TYPE q4_0),
              qwen2.5-0.5b or qwen2.5-1.5b (random weights; TYPE q4_0 or q4_k_m)
            Portable.Benchmarks compare WORK OUT [OPTIONS]   what compare.sh calls, after it has built and fetched everything
            Portable.Benchmarks page OUT [PAGE]              OUT/results.json into a table and plots, and into PAGE
            """);
        return mode == "help" ? 0 : 1;
}
