using System.Diagnostics;
using System.Globalization;
using Portable.Backends.Cpu;
using Portable.Benchmarks.Models;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Decoding.Model;

namespace Portable.Benchmarks;

/// <summary>
/// Loading a checkpoint of 1.1 GB in AutoAWQ's layout (Qwen2.5-1.5B's sizes) into packed form, against reading its file alone, from the
/// page cache and from disk, and packing alone, from tensors in memory; and the anonymous memory that a load takes.
/// </summary>
internal static unsafe class LoadBenchmark
{
    private const int Rounds = 3;

    public static void Run(int threads, string? folder)
    {
        QwenModel shape = QwenModel.All[^1];
        folder ??= Path.Combine(Path.GetTempPath(), $"portable-awq-{shape.Name}");
        Console.WriteLine($"writing {folder} unless it is there");
        AwqFolder.Write(folder, shape);
        string file = Path.Combine(folder, "model.safetensors");
        long size = new FileInfo(file).Length;
        Console.WriteLine($"{Machine.Processor}, {PackedKernels.Best}, {threads} threads; {size / 1e9:f2} GB; medians of {Rounds}, seconds");

        Load(folder, threads, out long packed, out long layer, out long peak);
        foreach (bool isCold in (bool[])[false, true])
        {
            var read = new List<double>();
            var pack = new List<double>();
            var unpack = new List<double>();
            var load = new List<double>();
            for (int round = 0; round < Rounds; round++)
            {
                Prepare(file, isCold);
                read.Add(Seconds(() => Read(file)));
                Prepare(file, isCold: false);
                (double packing, double unpacking) = Pack(folder, shape, threads);
                pack.Add(packing);
                unpack.Add(unpacking);
                Prepare(file, isCold);
                load.Add(Load(folder, threads, out _, out _, out long now));
                peak = Math.Max(peak, now);
            }

            double slower = Math.Max(Median(read), Median(pack)), ratio = Median(load) / slower;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"file {(isCold ? "on disk " : "in cache")}: read {Median(read):f2} ({size / Median(read) / 1e9:f1} GB/s), pack {Median(pack):f2} (of it {Median(unpack):f2} from the tensors' layout to canonical matrices), load {Median(load):f2} = {ratio:f2} x the slower (at most 1.2: {(ratio <= 1.2 ? "yes" : "NO")})"));
        }

        long bound = packed + layer + (100 << 20);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"anonymous memory of a load: {peak / 1e6:f0} MB at most; packed {packed / 1e6:f0} + a layer {layer / 1e6:f0} + 100 MiB = {bound / 1e6:f0} MB ({(peak <= bound ? "yes" : "NO")})"));
    }

    private static double Load(string folder, int threads, out long packed, out long layer, out long peak)
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        long before = Machine.AnonymousBytes(), most = before;
        using var done = new ManualResetEventSlim();
        var watcher = new Thread(() =>
        {
            while (!done.Wait(2))
                most = Math.Max(most, Machine.AnonymousBytes());
        });
        watcher.Start();
        var backend = new CpuBackend();
        DeviceOptions options = new() { Numerics = NumericMode.Fast, Threads = threads };
        long begin = Stopwatch.GetTimestamp();
        double seconds;
        using (Checkpoint checkpoint = Checkpoint.Open(folder))
        {
            var description = DecoderDescription.Read(checkpoint);
            using Device device = new BackendSelector([backend]).Select(backend.Id, options, description.Requirements(checkpoint)).Open(options);
            using CommandStream stream = device.CreateStream();
            using DecoderWeights weights = DecoderWeights.Load(checkpoint, description, new WeightUploader(checkpoint, device, stream), default);
            seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
            done.Set();
            watcher.Join();
            packed = device.ReservedBytesFor(MemoryKind.Weights);
            // The largest matrix that is read whole, as it is stored.
            layer = checkpoint.Tensors.Where(t => t.Name.StartsWith("model.layers.0.", StringComparison.Ordinal)).Sum(t => t.Bytes);
        }

        peak = most - before;
        return seconds;
    }

    /// <summary>From tensors in memory to packed weights, as a load does it, and the part of it that makes canonical matrices of the tensors.</summary>
    private static (double Seconds, double Unpacking) Pack(string folder, QwenModel shape, int threads)
    {
        var backend = new CpuBackend();
        DeviceOptions options = new() { Numerics = NumericMode.Fast, Threads = threads };
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using Device device = new BackendSelector([backend]).Select(backend.Id, options, DecoderDescription.Read(checkpoint).Requirements(checkpoint)).Open(options);
        double packing = 0, unpacking = 0;
        var kept = new List<DeviceWeight>();
        One(["model.embed_tokens"]);
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            One([prefix + "self_attn.q_proj", prefix + "self_attn.k_proj", prefix + "self_attn.v_proj"]);
            One([prefix + "self_attn.o_proj"]);
            One([prefix + "mlp.gate_proj", prefix + "mlp.up_proj"]);
            One([prefix + "mlp.down_proj"]);
        }

        kept.ForEach(static weight => weight.Dispose());
        return (packing + unpacking, unpacking);

        void One(string[] modules)
        {
            WeightMatrix[] matrices = [];
            unpacking += Seconds(() => matrices = [.. modules.Select(m => checkpoint.ReadMatrix(m))]);
            packing += Seconds(() => kept.Add(device.LoadWeight(matrices)));
            foreach (WeightMatrix matrix in matrices)
                matrix.Dispose();
        }
    }

    private static void Read(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        byte[] block = GC.AllocateUninitializedArray<byte>(1 << 22);
        while (stream.Read(block) > 0)
        {
        }
    }

    private static void Prepare(string file, bool isCold)
    {
        if (isCold)
            Machine.DropFromCache(file);
        else
            Read(file);
    }

    private static double Seconds(Action action)
    {
        long begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
