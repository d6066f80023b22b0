using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Portable.Vision.Images;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Images;

[Category("Golden")]
[NonParallelizable]
public sealed class HostileImageGoldenTests
{
    private const long AllocationCap = 64L << 20;

    private static readonly Lazy<JsonDocument> Index = new(() => Fixtures.Json(Fixtures.Find("images", "hostile.json")!));

    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("images", "hostile.json") is null)
        {
            yield return Fixtures.Absent("images/hostile.json");
            yield break;
        }

        foreach (JsonElement image in Index.Value.RootElement.GetProperty("files").EnumerateArray())
        {
            foreach (IImageDecoder decoder in ImageDecoders.All)
                yield return new TestCaseData((JsonElement?)image, decoder).SetName($"Hostile {image.GetProperty("file").GetString()} by {decoder.GetType().Name}");
        }
    }

    [OneTimeSetUp]
    public void Load_the_native_library_so_that_its_start_is_not_measured()
    {
        byte[] bmp = [(byte)'B', (byte)'M', 0, 0, 0, 0];
        foreach (IImageDecoder decoder in ImageDecoders.All)
            Assert.Throws<InvalidInputException>(() => decoder.Decode(bmp));
    }

    [TestCaseSource(nameof(Cases))]
    public void A_hostile_file_gets_what_the_index_states_within_a_second_and_64_MiB(JsonElement? golden, IImageDecoder decoder)
    {
        JsonElement wanted = golden!.Value;
        byte[] file = Fixtures.Bytes(Fixtures.Find("images", wanted.GetProperty("file").GetString()!)!);
        var options = new ImageDecodeOptions
        {
            Name = Path.GetFileName(wanted.GetProperty("file").GetString()!),
            Limits = new ImageLimits
            {
                MaxPixels = Index.Value.RootElement.GetProperty("pixel_cap_for_these_tests").GetInt64(),
                MaxDecodedBytes = AllocationCap,
            },
        };

        RgbImage? image = null;
        PortableException? error = null;
        long managed = GC.GetTotalAllocatedBytes(precise: true), resident = PeakMemory.Reset();
        var watch = Stopwatch.StartNew();
        try
        {
            image = decoder.Decode(file, options);
        }
        catch (PortableException caught)
        {
            error = caught;
        }

        watch.Stop();
        managed = GC.GetTotalAllocatedBytes(precise: true) - managed;
        long grown = PeakMemory.Read() - resident;
        Assert.Multiple(() =>
        {
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(1)), "time");
            Assert.That(managed, Is.LessThan(AllocationCap), "managed allocation");
            Assert.That(grown, Is.LessThan(AllocationCap), "growth of resident memory");
            switch (wanted.GetProperty("must").GetString())
            {
                case "error":
                    Assert.That(error, Is.Not.Null, "an error is due");
                    break;
                case "image":
                    Assert.That(error, Is.Null, "an image is due");
                    CompareImage(wanted.GetProperty("image"), image!, decoder is SkiaImageDecoder ? null : new SkiaImageDecoder().Decode(file, options));
                    break;
                case "error_or_image":
                    Assert.That(error is null, Is.EqualTo(image is not null));
                    CompareSize(wanted.GetProperty("pillow").GetString()!, image);
                    break;
                case var other:
                    Assert.Fail($"unknown outcome '{other}'");
                    break;
            }

            if (error is not null)
                Assert.That(error.Message, Does.Contain(options.Name).And.Length.LessThan(400), "the message names the file");
        });
        if (image is not null && Math.Max(image.Width, image.Height) > 200 * Math.Min(image.Width, image.Height))
            Assert.Throws<InvalidInputException>(() => SmartResize.Target(image.Height, image.Width, 28, 3136, 12845056));
    }

    // Another decoder of lossy files may compute otherwise: it is compared with the built-in one, which has the reference's very pixels.
    private static void CompareImage(JsonElement wanted, RgbImage image, RgbImage? exact)
    {
        if (exact is not null)
        {
            CompareImage(wanted, exact, null);
            Assert.That((image.Height, image.Width), Is.EqualTo((exact.Height, exact.Width)));
            Assert.That(Enumerable.Range(0, image.Data.Length).Average(i => Math.Abs(image.Data[i] - exact.Data[i])), Is.LessThan(2), "mean difference");
            return;
        }

        Assert.That((image.Height, image.Width), Is.EqualTo((wanted.GetProperty("height").GetInt32(), wanted.GetProperty("width").GetInt32())));
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(image.Pixels)), Is.EqualTo(wanted.GetProperty("sha256").GetString()));
    }

    // Where Pillow decoded the file, its size is the header's.
    private static void CompareSize(string pillow, RgbImage? image)
    {
        if (image is not null && pillow.StartsWith("image ", StringComparison.Ordinal))
            Assert.That($"{image.Height}x{image.Width}", Is.EqualTo(pillow["image ".Length..]), "the header's size");
    }
}
