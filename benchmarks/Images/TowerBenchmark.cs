using System.Diagnostics;
using Portable.Backends.Cpu;
using Portable.Benchmarks.Models;
using Portable.Decoding;
using Portable.Vision;

namespace Portable.Benchmarks.Images;

/// <summary>From an image of 1024 tokens to the first token of the answer, on Qwen2.5-VL-3B's shapes with random weights; and the tower beside the peak of float32.</summary>
internal static class TowerBenchmark
{
    private const int Side = 896, WarmUpSide = 224, Text = 32;

    public static async Task Run(int threads, double budget)
    {
        QwenTower tower = QwenTower.Small;
        string folder = Path.Combine(Path.GetTempPath(), $"portable-awq-{QwenTower.SmallDecoder.Name}");
        Console.WriteLine($"writing {folder} unless it is there");
        AwqFolder.Write(folder, QwenTower.SmallDecoder, tower);
        Console.WriteLine($"{Machine.Conditions(threads)}; {Path.GetFileName(folder)}, a picture of {Side} x {Side} and {Text} tokens of text");
        int patches = Side / QwenTower.Patch * (Side / QwenTower.Patch);
        double peak = FloatPeak.GigaFlops(threads);
        ImageTimes best = await Best(folder, threads, budget);
        peak = Math.Max(peak, FloatPeak.GigaFlops(threads));

        Console.WriteLine($"preparation {best.Preparation * 1e3:f0} ms, tower {best.Tower:f2} s, prefill {best.Prefill:f2} s; image to first token {best.All:f2} s");
        double operations = tower.Products(patches).Sum(p => 2.0 * p.Count * p.Rows * p.Columns * p.Outputs) + tower.AttentionOperations(patches);
        double reached = operations / best.Tower / 1e9;
        Console.WriteLine($"multiply-adds of float32 in registers: {peak:f1} GFLOPS");
        Console.WriteLine($"tower: {operations / 1e12:f2} TFLOP, of it attention {tower.AttentionOperations(patches) / operations:p1}; {reached:f1} GFLOPS, {reached / peak:p1} of the peak (at least 50 %: {(reached >= 0.5 * peak ? "yes" : "NO")})");
        TowerProducts.Run(threads, tower, patches, peak);
    }

    /// <summary>The round with the least time of those that fit the budget, one at least.</summary>
    private static async Task<ImageTimes> Best(string folder, int threads, double budget)
    {
        var options = new ModelOptions { Path = folder, Threads = threads, Numerics = NumericMode.Fast, ContextTokens = 2048 };
        long begin = Stopwatch.GetTimestamp();
        using PortableModel model = await PortableModel.LoadAsync(options, new BackendSelector([new CpuBackend()]), imageEncoders: [new ImageEncoderFactory()]);
        Console.WriteLine($"loading {Stopwatch.GetElapsedTime(begin).TotalSeconds:f1} s");
        using CommandStream stream = model.Device.CreateStream();
        await Measure(model, stream, WarmUpSide, 1);
        await Measure(model, stream, WarmUpSide, 2);
        begin = Stopwatch.GetTimestamp();
        ImageTimes best = await Measure(model, stream, Side, 3);
        for (int seed = 4; Stopwatch.GetElapsedTime(begin).TotalSeconds < budget; seed++)
        {
            ImageTimes next = await Measure(model, stream, Side, seed);
            best = next.All < best.All ? next : best;
        }

        return best;
    }

    private static async Task<ImageTimes> Measure(PortableModel model, CommandStream stream, int side, int seed)
    {
        byte[] file = NoisePicture.Bmp(side, seed);
        long begin = Stopwatch.GetTimestamp();
        PreparedImage image = model.Images!.Prepare(file, "picture", default);
        double preparation = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        begin = Stopwatch.GetTimestamp();
        // The prompt finds the features in the cache.
        model.Images.Encode(image, stream, default).Dispose();
        double tower = Stopwatch.GetElapsedTime(begin).TotalSeconds;

        int count = image.Grid.Count;
        int[] tokens = [seed, QwenTower.VisionStart, .. Enumerable.Repeat(QwenTower.ImageToken, count), QwenTower.VisionEnd, .. Enumerable.Range(1000, Text - 3)];
        var generation = model.Generate(
            new ModelPrompt(tokens, [new MediaSpan(2, count, image.Grid, image.ContentHash)], [image]), new GenerationOptions { MaxTokens = 1, IgnoreEndTokens = true });
        await foreach (GeneratedToken _ in generation)
        {
        }

        return new ImageTimes(preparation, tower, generation.PrefillTime.TotalSeconds);
    }
}
