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
                    yield return IsSupported(type) ? one : one.Ignore($"not supported yet: image processor {type}");
            }
        }
    }

    private static bool IsSupported(string type)
    {
        try
        {
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
