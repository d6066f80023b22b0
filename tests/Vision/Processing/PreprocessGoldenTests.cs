using System.Text;
using System.Text.Json;
using Portable.Vision.Images;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

[Category("Golden")]
public sealed class PreprocessGoldenTests
{
    private static readonly Lazy<GoldenTensors> Tensors = new(() => new GoldenTensors(Fixtures.Find("images", "preprocess.safetensors")!));

    public static IEnumerable<TestCaseData> Configs() => Discover((family, name, type, config) => new[]
    {
        new TestCaseData((JsonElement?)config, type).SetName($"Normalise {family}/{name}"),
    });

    public static IEnumerable<TestCaseData> Images() => Discover((family, name, type, config) => config.GetProperty("images").EnumerateArray()
        .Select(image => new TestCaseData((JsonElement?)config, type, (JsonElement?)image)
            .SetName($"Preprocess {family}/{name}/{image.GetProperty("image").GetString()}")));

    [TestCaseSource(nameof(Configs))]
    public void Every_byte_value_is_normalised_to_the_float_of_the_reference(JsonElement? config, string? type)
    {
        ImageProcessorConfig settings = Settings(config!.Value, type!);
        var table = new NormalisationTable(settings, [], []);
        float[] wanted = Tensors.Value.Floats(config.Value.GetProperty("normalise_pil").GetString()!);
        for (int channel = 0; channel < 3; channel++)
            Assert.That(table.Channel(channel).ToArray(), Is.EqualTo(wanted[(channel * 256)..((channel + 1) * 256)]), $"channel {channel}");
    }

    [TestCaseSource(nameof(Images))]
    public void An_image_is_resized_cut_and_normalised_as_by_the_reference(JsonElement? config, string? type, JsonElement? golden)
    {
        JsonElement wanted = golden!.Value;
        string file = wanted.GetProperty("image").GetString()!;
        RgbImage image = new SkiaImageDecoder().Decode(Fixtures.Bytes(Fixtures.Find("images", "src", file)!));
        ImageProcessorConfig settings = Settings(config!.Value, type!);
        if (ImageProcessors.CreateTiles(settings) is { } tiler)
        {
            CompareTiles(tiler, image, wanted);
            return;
        }

        IImageProcessor processor = ImageProcessors.Create(settings);
        if (wanted.TryGetProperty("error", out _))
        {
            Assert.Throws<InvalidInputException>(() => processor.Process(image));
            return;
        }

        ProcessedImage result = processor.Process(image);
        JsonElement grid = wanted.GetProperty("image_grid_thw")[0], shape = wanted.GetProperty("pixel_values_shape");
        Assert.Multiple(() =>
        {
            Assert.That((result.GridT, result.GridH, result.GridW), Is.EqualTo((grid[0].GetInt32(), grid[1].GetInt32(), grid[2].GetInt32())));
            Assert.That((result.Patches, result.PatchLength), Is.EqualTo((shape[0].GetInt32(), shape[1].GetInt32())));
            Assert.That(result.Tokens, Is.EqualTo(wanted.GetProperty("image_tokens").GetInt32()));
            Assert.That(processor.Plan(image.Height, image.Width), Is.EqualTo((result.Resized.Height, result.Resized.Width, result.Tokens)));
        });

        // Without rescaling and normalising, the values are the bytes themselves in the layout of the patches.
        ProcessedImage plain = ImageProcessors.Create(settings with { DoRescale = false, DoNormalize = false }).Process(image);
        byte[] bytes = [.. plain.PixelValues.ToArray().Select(v => (byte)v)];
        if (wanted.TryGetProperty("u8_tensor", out JsonElement stored))
            Assert.That(bytes.AsSpan().SequenceEqual(Tensors.Value.Bytes(stored.GetString()!)), "bytes in patch order");
        Assert.That(GoldenComparison.Sha256(bytes), Is.EqualTo(wanted.GetProperty("u8_sha256").GetString()), "hash of the bytes in patch order");

        GoldenComparison.Slices(
            result.PixelValues.Span,
            [.. wanted.GetProperty("values_at").EnumerateArray().Select(v => v.GetInt32())],
            Tensors.Value.Floats(wanted.GetProperty("values_tensor").GetString()!),
            "pixel values");
    }

    private static void CompareTiles(TileProcessor processor, RgbImage image, JsonElement wanted)
    {
        if (wanted.TryGetProperty("error", out _))
        {
            Assert.Throws<InvalidInputException>(() => processor.Cut(image));
            return;
        }

        TiledImage tiled = processor.Cut(image);
        int[] shape = [.. wanted.GetProperty("pixel_values_shape").EnumerateArray().Select(v => v.GetInt32())];
        bool isFlattened = processor is MiniCpmProcessor;
        if (!isFlattened)
        {
            int[] found = [tiled.Tiles.Count, 3, tiled.Tiles[0].Height, tiled.Tiles[0].Width];
            Assert.That(found, Is.EqualTo(shape[^4..]));
        }

        // One array [3, 14, all patches side by side] for MiniCPM-V, tiles of channels for the others.
        byte[] bytes = isFlattened ? Flattened(tiled.Tiles) : [.. tiled.Tiles.SelectMany(t => Planes(t))];
        if (wanted.TryGetProperty("u8_tensor", out JsonElement stored))
            Assert.That(bytes.AsSpan().SequenceEqual(Tensors.Value.Bytes(stored.GetString()!)), "bytes of the tiles");
        Assert.That(GoldenComparison.Sha256(bytes), Is.EqualTo(wanted.GetProperty("u8_sha256").GetString()), "hash of the bytes of the tiles");
        int plane = bytes.Length / 3;
        float[] values = [.. bytes.Select((b, i) => processor.Normalisation.Channel(isFlattened ? i / plane : i / (tiled.Tiles[0].Height * tiled.Tiles[0].Width) % 3)[b])];
        GoldenComparison.Slices(
            values, [.. wanted.GetProperty("values_at").EnumerateArray().Select(v => v.GetInt32())],
            Tensors.Value.Floats(wanted.GetProperty("values_tensor").GetString()!), "pixel values");
    }

    private static byte[] Planes(RgbImage image)
    {
        byte[] planes = new byte[image.Pixels.Length];
        int size = image.Width * image.Height;
        for (int i = 0; i < size; i++)
        {
            for (int channel = 0; channel < 3; channel++)
                planes[(channel * size) + i] = image.Pixels[(3 * i) + channel];
        }

        return planes;
    }

    private static byte[] Flattened(IReadOnlyList<RgbImage> tiles)
    {
        const int Patch = 14;
        using var all = new MemoryStream();
        for (int channel = 0; channel < 3; channel++)
        {
            for (int y = 0; y < Patch; y++)
            {
                foreach (RgbImage tile in tiles)
                {
                    for (int patch = 0; patch < tile.Width / Patch * (tile.Height / Patch); patch++)
                    {
                        int top = patch / (tile.Width / Patch) * Patch, left = patch % (tile.Width / Patch) * Patch;
                        for (int x = 0; x < Patch; x++)
                            all.WriteByte(tile.Pixels[(3 * (((top + y) * tile.Width) + left + x)) + channel]);
                    }
                }
            }
        }

        return all.ToArray();
    }

    private static IEnumerable<TestCaseData> Discover(Func<string, string, string, JsonElement, IEnumerable<TestCaseData>> cases)
    {
        if (Fixtures.Find("images", "preprocess.json") is not { } path)
        {
            yield return Fixtures.Absent("images/preprocess.json");
            yield break;
        }

        foreach (JsonProperty family in Fixtures.Json(path).RootElement.GetProperty("families").EnumerateObject())
        {
            string type = family.Value.GetProperty("pil_class").GetString()!;
            foreach (JsonProperty config in family.Value.GetProperty("configs").EnumerateObject())
            {
                foreach (TestCaseData one in cases(family.Name, config.Name, type, config.Value))
                    yield return IsSupported(type, config.Value) ? one : one.Ignore($"not supported yet: image processor {type}");
            }
        }
    }

    private static bool IsSupported(string type, JsonElement config)
    {
        try
        {
            if (ImageProcessors.CreateTiles(Settings(config, type)) is not null)
                return true;
            ImageProcessors.Create(new ImageProcessorConfig { Source = "test", ImageProcessorType = type });
            return true;
        }
        catch (UnsupportedException)
        {
            return false;
        }
    }

    private static ImageProcessorConfig Settings(JsonElement config, string type) =>
        ImageProcessorConfig.Parse(Encoding.UTF8.GetBytes(config.GetProperty("config").GetRawText()), "preprocess.json")!
            with { ImageProcessorType = type };
}
