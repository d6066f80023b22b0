using System.Text;
using Portable.Vision.Images;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

public sealed class ImageProcessorTests
{
    [Test]
    public void Nested_settings_are_read_like_flat_ones()
    {
        ImageProcessorConfig flat = Parse("""{"image_processor_type":"Qwen2VLImageProcessor","patch_size":16,"resample":1,"size":{"shortest_edge":4096,"longest_edge":8192}}""")!;
        ImageProcessorConfig nested = Parse("""{"image_processor":{"image_processor_type":"Qwen2VLImageProcessor","patch_size":16,"resample":1,"size":{"shortest_edge":4096,"longest_edge":8192}},"video_processor":{"patch_size":8}}""")!;
        Assert.Multiple(() =>
        {
            Assert.That(nested, Is.EqualTo(flat));
            Assert.That(flat.Resample, Is.EqualTo(ResampleFilter.Lanczos));
            Assert.That(flat.Size, Is.EqualTo(new ImageSizeConfig { ShortestEdge = 4096, LongestEdge = 8192 }));
            Assert.That(Parse("""{"video_processor":{}}"""), Is.Null);
        });
    }

    [TestCase("""{"patch_size":0}""", "patch_size")]
    [TestCase("""{"patch_size":"14"}""", "patch_size")]
    [TestCase("""{"merge_size":1e30}""", "merge_size")]
    [TestCase("""{"image_mean":[0.5,0.5]}""", "image_mean")]
    [TestCase("""{"image_std":[0.5,0.5,"x"]}""", "image_std")]
    [TestCase("""{"resample":9}""", "resample")]
    [TestCase("""{"do_resize":1}""", "do_resize")]
    [TestCase("""{"size":[1,2]}""", "size")]
    [TestCase("""{"min_pixels":-1}""", "min_pixels")]
    [TestCase("""{"image_grid_pinpoints":[[1]]}""", "image_grid_pinpoints")]
    public void A_setting_of_the_wrong_kind_or_range_is_an_error_that_names_file_and_key(string json, string key)
    {
        InvalidModelException error = Assert.Throws<InvalidModelException>(() => Parse(json))!;
        Assert.Multiple(() =>
        {
            Assert.That(error.Where, Is.EqualTo(key));
            Assert.That(error.Message, Does.Contain("preprocessor_config.json").And.Contain("expected"));
        });
    }

    [TestCase("")]
    [TestCase("[1]")]
    [TestCase("{\"size\":")]
    public void Text_that_is_not_a_JSON_object_is_an_error_that_names_the_file(string json) =>
        Assert.That(Assert.Throws<InvalidModelException>(() => Parse(json))!.File, Is.EqualTo("preprocessor_config.json"));

    [Test]
    public void Settings_that_contradict_themselves_are_refused()
    {
        Assert.Throws<InvalidModelException>(() => Create("""{"image_processor_type":"Qwen2VLImageProcessor","min_pixels":5000,"max_pixels":4000}"""));
        Assert.Throws<InvalidModelException>(() => Create("""{"image_processor_type":"Qwen2VLImageProcessor","image_std":0}"""));
        Assert.Throws<InvalidModelException>(() => Create("""{"patch_size":14}"""));
    }

    [Test]
    public void A_processor_that_is_not_built_in_is_refused_by_name() =>
        Assert.That(
            Assert.Throws<UnsupportedException>(() => Create("""{"image_processor_type":"KimiVLImageProcessor"}"""))!.Feature,
            Does.Contain("KimiVLImageProcessor"));

    [Test]
    public void Settings_that_would_enlarge_a_dot_to_gigabytes_are_refused_before_memory_is_taken()
    {
        IImageProcessor processor = Create("""{"image_processor_type":"Qwen2VLImageProcessor","min_pixels":4611686018427387904,"max_pixels":9223372036854775807}""");
        Assert.Throws<InvalidInputException>(() => processor.Process(new RgbImage(1, 1, [1, 2, 3])));
    }

    [Test]
    public void A_processor_that_does_not_resize_takes_multiples_of_the_block_and_refuses_the_rest()
    {
        IImageProcessor processor = Create("""{"image_processor_type":"Qwen2VLImageProcessor","do_resize":false}""");
        Assert.Multiple(() =>
        {
            Assert.That(processor.Plan(56, 84), Is.EqualTo((56, 84, 6)));
            Assert.That(Assert.Throws<InvalidInputException>(() => processor.Plan(57, 84))!.Message, Does.Contain("28"));
        });
    }

    [Test]
    public void Equal_images_have_equal_hashes_and_a_changed_pixel_size_or_setting_changes_the_hash()
    {
        IImageProcessor processor = Create("""{"image_processor_type":"Qwen2VLImageProcessor"}""");
        byte[] pixels = new byte[56 * 84 * 3], changed = new byte[56 * 84 * 3];
        changed[^1] = 1;
        string hash = processor.Process(new RgbImage(84, 56, pixels)).ContentHash;
        Assert.Multiple(() =>
        {
            Assert.That(processor.Process(new RgbImage(84, 56, (byte[])pixels.Clone())).ContentHash, Is.EqualTo(hash));
            Assert.That(processor.Process(new RgbImage(84, 56, changed)).ContentHash, Is.Not.EqualTo(hash));
            Assert.That(processor.Process(new RgbImage(56, 84, pixels)).ContentHash, Is.Not.EqualTo(hash));
            Assert.That(
                Create("""{"image_processor_type":"Qwen2VLImageProcessor","image_mean":0.5}""").Process(new RgbImage(84, 56, pixels)).ContentHash,
                Is.Not.EqualTo(hash));
        });
    }

    [Test]
    public void Patches_lie_in_merge_blocks_with_channels_before_time_before_rows()
    {
        IImageProcessor processor = Create(
            """{"image_processor_type":"Qwen2VLImageProcessor","patch_size":2,"min_pixels":1,"do_rescale":false,"do_normalize":false}""");
        byte[] pixels = new byte[4 * 8 * 3];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)i;
        ProcessedImage result = processor.Process(new RgbImage(8, 4, pixels));
        Assert.That((result.GridT, result.GridH, result.GridW, result.PatchLength), Is.EqualTo((1, 2, 4, 24)));

        int[] tops = [0, 0, 2, 2, 0, 0, 2, 2], lefts = [0, 2, 0, 2, 4, 6, 4, 6];
        for (int patch = 0; patch < 8; patch++)
        {
            for (int i = 0; i < 24; i++)
            {
                int channel = i / 8, y = i / 2 % 2, x = i % 2;
                float expected = ((tops[patch] + y) * 8 + lefts[patch] + x) * 3 + channel;
                Assert.That(result.PixelValues.Span[patch * 24 + i], Is.EqualTo(expected), $"patch {patch}, value {i}");
            }
        }
    }

    [Test]
    public void Processing_stops_when_it_is_cancelled()
    {
        IImageProcessor processor = Create("""{"image_processor_type":"Qwen2VLImageProcessor"}""");
        Assert.That(
            () => processor.Process(new RgbImage(84, 56, new byte[56 * 84 * 3]), new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
    }

    private static ImageProcessorConfig? Parse(string json) => ImageProcessorConfig.Parse(Encoding.UTF8.GetBytes(json), "preprocessor_config.json");

    private static IImageProcessor Create(string json) => ImageProcessors.Create(Parse(json)!);
}
