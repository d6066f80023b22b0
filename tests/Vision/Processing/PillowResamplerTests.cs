using Portable.Vision.Images;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

public sealed class PillowResamplerTests
{
    [Test]
    public void Every_vector_width_gives_the_bytes_of_the_scalar_oracle_on_random_sizes_filters_and_boxes()
    {
        var random = new Random(20);
        for (int trial = 0; trial < 200; trial++)
        {
            int channels = random.Next(1, 5);
            PixelBuffer source = Noise(random, random.Next(1, 90), random.Next(1, 90), channels);
            int width = random.Next(1, 120), height = random.Next(1, 120);
            var filter = (ResampleFilter)random.Next(0, 6);
            ResampleBox? box = null;
            if (random.Next(2) == 0)
            {
                double left = random.NextDouble() * source.Width * 0.5, top = random.NextDouble() * source.Height * 0.5;
                box = new ResampleBox(left, top, left + (source.Width - left) * 0.9, top + (source.Height - top) * 0.9);
            }

            byte[] oracle = PillowResampler.Resize(source, width, height, filter, box, null, ResampleKernel.Scalar, 1).Data;
            foreach (ResampleKernel kernel in Enum.GetValues<ResampleKernel>())
            {
                byte[] result = PillowResampler.Resize(source, width, height, filter, box, null, kernel).Data;
                Assert.That(
                    result.AsSpan().SequenceEqual(oracle),
                    $"trial {trial}: {source.Width}x{source.Height}x{channels} to {width}x{height}, {filter}, {box}, {kernel}");
            }
        }
    }

    [Test]
    public void The_number_of_threads_does_not_change_the_bytes()
    {
        PixelBuffer source = Noise(new Random(21), 611, 407, 3);
        byte[] one = PillowResampler.Resize(source, 300, 530, ResampleFilter.Bicubic, threads: 1).Data;
        foreach (int threads in new[] { 2, 3, 8, -1 })
            Assert.That(PillowResampler.Resize(source, 300, 530, ResampleFilter.Bicubic, threads: threads).Data, Is.EqualTo(one), $"{threads} threads");
    }

    [Test]
    public void Resizing_to_the_same_size_returns_a_copy()
    {
        PixelBuffer source = Noise(new Random(22), 17, 9, 3);
        PixelBuffer result = PillowResampler.Resize(source, 17, 9, ResampleFilter.Lanczos);
        Assert.Multiple(() =>
        {
            Assert.That(result.Data, Is.EqualTo(source.Data));
            Assert.That(result.Data, Is.Not.SameAs(source.Data));
        });
    }

    [Test]
    public void The_row_of_the_published_example_is_resized_as_stated()
    {
        var row = new PixelBuffer([0, 255, 30, 200, 90, 17], 6, 1, 1);
        Assert.Multiple(() =>
        {
            Assert.That(PillowResampler.Resize(row, 3, 1, ResampleFilter.Bicubic).Data, Is.EqualTo(new byte[] { 113, 135, 70 }));
            Assert.That(PillowResampler.Resize(row, 4, 1, ResampleFilter.Lanczos).Data, Is.EqualTo(new byte[] { 101, 136, 141, 38 }));
            Assert.That(
                PillowResampler.Resize(row, 9, 1, ResampleFilter.Bilinear).Data,
                Is.EqualTo(new byte[] { 0, 128, 217, 68, 115, 182, 108, 54, 17 }));
        });
    }

    [Test]
    public void An_output_too_large_for_memory_is_refused()
    {
        var dot = new PixelBuffer([1, 2, 3], 1, 1, 3);
        Assert.Throws<InvalidInputException>(() => PillowResampler.Resize(dot, 1 << 20, 1 << 20, ResampleFilter.Nearest));
    }

    private static PixelBuffer Noise(Random random, int width, int height, int channels)
    {
        PixelBuffer image = PixelBuffer.Allocate(width, height, channels);
        random.NextBytes(image.Data);
        return image;
    }
}
