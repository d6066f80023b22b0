using System.Security.Cryptography;
using System.Text.Json;
using Portable.Vision.Images;

namespace Portable.Tests.Vision.Images;

[Category("Golden")]
public sealed class ImageDecoderGoldenTests
{
    private static readonly Lazy<GoldenTensors> Decoded = new(() => new GoldenTensors(Fixtures.Find("images", "decoded.safetensors")!));

    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("images", "manifest.json") is not { } path)
        {
            yield return Fixtures.Absent("images/manifest.json");
            yield break;
        }

        foreach (JsonElement image in Fixtures.Json(path).RootElement.GetProperty("images").EnumerateArray())
        {
            foreach (IImageDecoder decoder in ImageDecoders.All)
                yield return new TestCaseData((JsonElement?)image, decoder).SetName($"Decode {image.GetProperty("file").GetString()} by {decoder.GetType().Name}");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Decoding_gives_the_pixels_that_Pillow_gives_over_white_and_with_alpha_dropped(JsonElement? golden, IImageDecoder decoder)
    {
        JsonElement wanted = golden!.Value;
        byte[] file = Fixtures.Bytes(Fixtures.Find("images", wanted.GetProperty("file").GetString()!)!);
        Assert.Multiple(() =>
        {
            foreach ((string variant, AlphaHandling alpha) in new[] { ("on_white", AlphaHandling.OverWhite), ("load_image", AlphaHandling.Drop) })
            {
                RgbImage image = decoder.Decode(file, new ImageDecodeOptions { Alpha = alpha });
                Assert.That((image.Height, image.Width), Is.EqualTo((wanted.GetProperty("height").GetInt32(), wanted.GetProperty("width").GetInt32())));
                Compare(wanted, variant, image);
            }
        });
    }

    /// <summary>The built-in decoder's pixels, which stand for the reference's where they have its hash.</summary>
    private static byte[] BuiltIn(JsonElement wanted, string sha256)
    {
        RgbImage image = new SkiaImageDecoder().Decode(Fixtures.Bytes(Fixtures.Find("images", wanted.GetProperty("file").GetString()!)!));
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(image.Pixels)), Is.EqualTo(sha256), "differs from the hash, and no pixels are stored to measure by how much");
        return image.Pixels.ToArray();
    }

    private static void Compare(JsonElement wanted, string variant, RgbImage image)
    {
        JsonElement rgb = wanted.GetProperty("rgb").GetProperty(variant);
        if (Convert.ToHexStringLower(SHA256.HashData(image.Pixels)) == rgb.GetProperty("sha256").GetString())
            return;
        if (!wanted.GetProperty("lossy").GetBoolean())
        {
            Assert.Fail($"{variant}: the bytes of a lossless image differ");
            return;
        }

        // Images too large to be stored have only their hash; a lossy one may then differ from it.
        string name = Path.GetFileName(wanted.GetProperty("file").GetString()!);
        string? tensor = new[] { $"{name}/{variant}", $"{name}/on_white" }.FirstOrDefault(Decoded.Value.Contains);
        byte[] expected = tensor is null ? BuiltIn(wanted, rgb.GetProperty("sha256").GetString()!) : Decoded.Value.Bytes(tensor).ToArray();
        long sum = 0;
        int most = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            int difference = Math.Abs(expected[i] - image.Pixels[i]);
            sum += difference;
            most = Math.Max(most, difference);
        }

        JsonElement tolerance = wanted.GetProperty("tolerance");
        TestContext.Out.WriteLine($"{variant}: mean {(double)sum / expected.Length:0.000}, largest {most}");
        Assert.That(most, Is.LessThanOrEqualTo(tolerance.GetProperty("max_abs").GetInt32()), $"{variant}: largest difference");
        Assert.That((double)sum / expected.Length, Is.LessThanOrEqualTo(tolerance.GetProperty("mean_abs").GetDouble()), $"{variant}: mean difference");
    }
}
