using Portable.Vision.Images;

namespace Portable.Tests.Vision.Images;

[Category("Golden")]
public sealed class AnimationTests
{
    public static IEnumerable<TestCaseData> Files() => Fixtures.Find("images", "src") is { } folder
        ? Directory.GetFiles(folder, "*_animated.*").Order(StringComparer.Ordinal).Select(f => new TestCaseData(f).SetName($"Frames of {Path.GetFileName(f)}"))
        : [Fixtures.Absent("images/src")];

    [TestCaseSource(nameof(Files))]
    public void An_animation_gives_the_frames_that_are_asked_for_and_the_first_is_the_image(string path)
    {
        byte[] file = Fixtures.Bytes(path);
        var decoder = new SkiaImageDecoder();
        int count = 0;
        double length = 0;
        AnimationFrames all = decoder.DecodeAnimation(file, (frames, seconds) =>
        {
            (count, length) = (frames, seconds);
            return [.. Enumerable.Range(0, frames)];
        });
        Assert.That(count, Is.GreaterThan(1));
        Assert.That(all.Frames, Has.Count.EqualTo(count));
        Assert.That(all.FramesPerSecond, Is.EqualTo(count / length).Within(1e-9));
        Assert.That(all.Frames[0].Pixels.SequenceEqual(decoder.Decode(file).Pixels), "the first frame is the image");
        Assert.That(all.Frames[^1].Pixels.SequenceEqual(all.Frames[0].Pixels), Is.False, "the last is another");
        AnimationFrames last = decoder.DecodeAnimation(file, (frames, _) => [frames - 1]);
        Assert.That(last.Frames.Single().Pixels.SequenceEqual(all.Frames[^1].Pixels), "a frame is the same whatever else is asked for");
    }

    [TestCaseSource(nameof(Files))]
    public void A_truncated_animation_is_refused_or_has_frames_of_the_headers_size(string path)
    {
        byte[] file = Fixtures.Bytes(path);
        var decoder = new SkiaImageDecoder();
        RgbImage whole = decoder.Decode(file);
        for (int length = 0; length < file.Length; length += 97)
        {
            try
            {
                AnimationFrames found = decoder.DecodeAnimation(file.AsMemory(0, length), (frames, _) => [.. Enumerable.Range(0, frames)]);
                Assert.That(found.Frames.All(f => (f.Width, f.Height) == (whole.Width, whole.Height)), $"{length} bytes");
            }
            catch (PortableException)
            {
            }
        }
    }

    [Test]
    public void More_frames_than_the_limit_of_bytes_holds_are_refused()
    {
        if (Files().First().Arguments[0] is not string path)
        {
            Assert.Ignore("fixtures absent: images/src");
            return;
        }

        byte[] file = Fixtures.Bytes(path);
        RgbImage image = new SkiaImageDecoder().Decode(file);
        var options = new ImageDecodeOptions { Limits = new ImageLimits { MaxDecodedBytes = 13L * image.Width * image.Height } };
        Assert.Throws<InvalidInputException>(() => new SkiaImageDecoder().DecodeAnimation(file, (_, _) => [.. Enumerable.Repeat(0, 1000)], options));
    }
}
