using System.Text.Json;
using Portable.Vision.Images;
using Portable.Vision.Processing;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Processing;

[Category("Golden")]
public sealed class CheckpointImageGoldenTests
{
    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("checkpoints") is not { } root)
        {
            yield return Fixtures.Absent("checkpoints");
            yield break;
        }

        foreach (string folder in Directory.GetDirectories(root).Order(StringComparer.Ordinal))
        {
            string golden = Path.Combine(folder, "golden.json");
            if (!File.Exists(golden))
                continue;
            JsonElement index = Fixtures.Json(golden).RootElement;
            if (!index.TryGetProperty("cases", out JsonElement cases) || cases.ValueKind != JsonValueKind.Object)
                continue;
            string? unsupported = Unsupported(folder);
            foreach (JsonProperty one in cases.EnumerateObject())
            {
                bool video = one.Value.TryGetProperty("video", out _);
                if (!video && !one.Value.TryGetProperty("images", out _))
                    continue;
                TestCaseData test = new TestCaseData(folder, one.Name, (JsonElement?)one.Value).SetName($"Pixels of {Path.GetFileName(folder)}/{one.Name}");
                if (unsupported is not null)
                    test.Ignore($"not supported yet: {unsupported}");
                yield return test;
            }
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void From_the_image_file_the_resized_bytes_are_equal_and_the_pixel_values_equal_or_within_2e_6(
        string? folder, string name, JsonElement? golden)
    {
        JsonElement wanted = golden!.Value;
        if (wanted.TryGetProperty("video", out JsonElement video))
        {
            CompareVideo(folder!, name, wanted, video);
            return;
        }

        ImageProcessorConfig settings = ImageProcessorConfig.Read(folder!)!;
        if (ImageProcessors.CreateTiles(settings) is { } tiler)
        {
            CompareTiles(tiler, folder!, name, wanted);
            return;
        }

        IImageProcessor processor = ImageProcessors.Create(settings);
        var tensors = new GoldenTensors(Path.Combine(folder!, "golden.safetensors"));
        var values = new List<float>();
        int index = 0;
        foreach (JsonElement image in wanted.GetProperty("images").EnumerateArray())
        {
            byte[] file = Fixtures.Bytes(Fixtures.Find(image.GetProperty("file").GetString()!.Split('/'))!);
            ProcessedImage result = processor.Process(new SkiaImageDecoder().Decode(file));
            JsonElement size = image.GetProperty("resized_hw"), grid = wanted.GetProperty("image_grid_thw")[index];
            Assert.That((result.Resized.Height, result.Resized.Width), Is.EqualTo((size[0].GetInt32(), size[1].GetInt32())));
            Assert.That((result.GridT, result.GridH, result.GridW), Is.EqualTo((grid[0].GetInt32(), grid[1].GetInt32(), grid[2].GetInt32())));
            Assert.That(result.Resized.Pixels.SequenceEqual(tensors.Bytes($"{name}/resized_rgb_{index}")), $"resized_rgb_{index}");
            values.AddRange(result.PixelValues.Span);
            index++;
        }

        float[] all = [.. values];
        JsonElement pixels = wanted.GetProperty("pixel_values");
        Assert.That(all, Has.Length.EqualTo(pixels.GetProperty("shape")[0].GetInt32() * pixels.GetProperty("shape")[1].GetInt32()));
        if (pixels.TryGetProperty("tensor", out JsonElement tensor))
            GoldenComparison.Slices(all, [0], tensors.Floats(tensor.GetString()!), "pixel_values");
        if (pixels.TryGetProperty("slices_tensor", out JsonElement slices))
        {
            GoldenComparison.Slices(
                all,
                [.. pixels.GetProperty("slices_at").EnumerateArray().Select(v => v.GetInt32())],
                tensors.Floats(slices.GetString()!),
                "pixel_values");
        }

        // This processor follows the unfused formula of the reference, for which the hash is exact.
        Assert.That(GoldenComparison.Sha256(all), Is.EqualTo(pixels.GetProperty("sha256").GetString()), "hash of pixel_values");
    }

    // The reference's video values come from a fused formula, so only their slices are compared.
    private static void CompareVideo(string folder, string name, JsonElement wanted, JsonElement video)
    {
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        string tensor = video.GetProperty("tensor").GetString()!;
        int[] shape = [.. tensors.Shape(tensor).Select(s => (int)s)];
        int each = shape[1] * shape[2] * shape[3];
        byte[] pixels = tensors.Bytes(tensor).ToArray();
        RgbImage[] frames = [.. Enumerable.Range(0, shape[0]).Select(i => new RgbImage(shape[2], shape[1], pixels[(i * each)..((i + 1) * each)]))];
        using JsonDocument config = Fixtures.Json(Path.Combine(folder, "config.json"));
        VisionFamily family = VisionFamily.OfModelType(config.RootElement.GetProperty("model_type").GetString()!)!;
        ProcessedImage result = new VideoProcessor(ImageProcessorConfig.ReadVideo(folder)!, family.Video).Process(frames, "video", default);
        JsonElement grid = wanted.GetProperty("video_grid_thw")[0], values = wanted.GetProperty("pixel_values_videos");
        Assert.That((result.GridT, result.GridH, result.GridW), Is.EqualTo((grid[0].GetInt32(), grid[1].GetInt32(), grid[2].GetInt32())));
        GoldenComparison.Slices(
            result.PixelValues.Span, [.. values.GetProperty("slices_at").EnumerateArray().Select(v => v.GetInt32())],
            tensors.Floats(values.GetProperty("slices_tensor").GetString()!), "pixel_values_videos");
    }

    private static void CompareTiles(TileProcessor processor, string folder, string name, JsonElement wanted)
    {
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        var all = new List<byte>();
        int index = 0, stored = 0;
        foreach (JsonElement image in wanted.GetProperty("images").EnumerateArray())
        {
            byte[] file = Fixtures.Bytes(Fixtures.Find(image.GetProperty("file").GetString()!.Split('/'))!);
            TiledImage tiled = processor.Cut(new SkiaImageDecoder().Decode(file));
            byte[] bytes = [.. tiled.Tiles.SelectMany(t => t.Pixels.ToArray())];
            all.AddRange(bytes);
            // Some families store the tiles of each image, some those of all together.
            if (tensors.Contains($"{name}/resized_rgb_1") && ++stored > 0)
                Assert.That(bytes.AsSpan().SequenceEqual(tensors.Bytes($"{name}/resized_rgb_{index}")), $"resized_rgb_{index}");
            index++;
        }

        if (stored == 0)
            Assert.That(all.ToArray().AsSpan().SequenceEqual(tensors.Bytes($"{name}/resized_rgb_0")), "resized_rgb_0");
    }

    private static string? Unsupported(string folder)
    {
        try
        {
            ImageProcessorConfig? settings = ImageProcessorConfig.Read(folder);
            if (settings is not null && ImageProcessors.CreateTiles(settings) is not null)
                return null;
            ImageProcessors.Create(settings ?? throw new UnsupportedException("images", "the folder has no image processor"));
            return null;
        }
        catch (UnsupportedException error)
        {
            return error.Feature;
        }
    }
}
