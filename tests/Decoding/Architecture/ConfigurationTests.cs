using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Decoding;
using Portable.Decoding.Architecture;
using Portable.Decoding.Media;

namespace Portable.Tests.Architecture;

/// <summary>What configurations say about rope and attention windows, and the positions of images.</summary>
[TestFixture]
public sealed class ConfigurationTests
{
    private static DecoderConfig Read(string modelType, params (string Name, JsonNode Value)[] fields)
    {
        using var tiny = new TinyModel(modelType: modelType, layers: 4);
        foreach ((string name, JsonNode value) in fields)
            tiny.Config[name] = value;
        using JsonDocument json = JsonDocument.Parse(tiny.Config.ToJsonString());
        return HuggingFaceDecoder.Read("config.json", json.RootElement, null);
    }

    [Test]
    public void Plain_frequencies_are_powers_of_the_base()
    {
        float[] found = Read("llama", ("rope_theta", 500000)).Rope.InverseFrequencies(1);
        Assert.That(found, Has.Length.EqualTo(8));
        for (int j = 0; j < found.Length; j++)
            Assert.That(found[j], Is.EqualTo(Math.Pow(500000, -j / 8.0)).Within(1e-5).Percent);
    }

    [Test]
    public void Llama3_scaling_keeps_high_frequencies_divides_low_ones_and_blends_between()
    {
        RopeConfig rope = Read("llama", ("head_dim", 64), ("rope_theta", 10000), ("rope_scaling", new JsonObject
        {
            ["rope_type"] = "llama3", ["factor"] = 8, ["low_freq_factor"] = 1, ["high_freq_factor"] = 4, ["original_max_position_embeddings"] = 1024,
        })).Rope;
        float[] found = rope.InverseFrequencies(1);
        int kept = 0, divided = 0, blended = 0;
        for (int j = 0; j < 32; j++)
        {
            double plain = Math.Pow(10000, -2.0 * j / 64), wavelength = 2 * Math.PI / plain, expected;
            if (wavelength < 1024 / 4.0)
            {
                expected = plain;
                kept++;
            }
            else if (wavelength > 1024)
            {
                expected = plain / 8;
                divided++;
            }
            else
            {
                double smooth = ((1024 / wavelength) - 1) / (4 - 1);
                expected = ((1 - smooth) * plain / 8) + (smooth * plain);
                blended++;
            }

            Assert.That(found[j], Is.EqualTo(expected).Within(1e-4).Percent, $"frequency {j}");
        }

        Assert.That(new[] { kept, divided, blended }, Is.All.Positive, "every part of the formula was met");
    }

    [Test]
    public void Linear_scaling_divides_all_frequencies_and_both_spellings_are_read()
    {
        float[] plain = Read("llama").Rope.InverseFrequencies(1);
        foreach (string spelling in (string[])["type", "rope_type"])
        {
            float[] found = Read("llama", ("rope_scaling", new JsonObject { [spelling] = "linear", ["factor"] = 4 })).Rope.InverseFrequencies(1);
            Assert.That(found, Is.EqualTo(plain.Select(f => f / 4)).Within(1e-6).Percent);
        }

        RopeConfig parameters = Read("llama", ("rope_parameters", new JsonObject { ["rope_type"] = "default", ["rope_theta"] = 77 })).Rope;
        Assert.That(parameters.Theta, Is.EqualTo(77), "the newer spelling carries the base too");
    }

    [Test]
    public void Chunked_sections_give_each_axis_neighbouring_frequencies()
    {
        RopeConfig rope = Read("qwen2", ("head_dim", 128), ("rope_scaling", new JsonObject { ["type"] = "mrope", ["mrope_section"] = new JsonArray(16, 24, 24) })).Rope;
        Assert.That(rope.Axes, Is.EqualTo(3));
        Assert.That(rope.FrequencyAxes(), Is.EqualTo(Enumerable.Repeat(0, 16).Concat(Enumerable.Repeat(1, 24)).Concat(Enumerable.Repeat(2, 24))));
    }

    [Test]
    public void Interleaved_sections_alternate_between_the_axes_and_leave_the_rest_to_time()
    {
        RopeConfig rope = Read("qwen3", ("head_dim", 128), ("rope_scaling", new JsonObject
        {
            ["rope_type"] = "default", ["mrope_section"] = new JsonArray(24, 20, 20), ["mrope_interleaved"] = true,
        })).Rope;
        int[] axes = rope.FrequencyAxes();
        for (int j = 0; j < 64; j++)
            Assert.That(axes[j], Is.EqualTo(j < 60 ? j % 3 : 0), $"frequency {j}");
        Assert.That(axes.Count(a => a == 0), Is.EqualTo(24));
    }

    [Test]
    public void Windows_follow_the_familys_rules()
    {
        Assert.That(Read("llama").Windows, Is.All.Zero);
        Assert.That(Read("mistral", ("sliding_window", 16)).Windows, Is.EqualTo(new[] { 16, 16, 16, 16 }));
        Assert.That(Read("qwen2", ("sliding_window", 16)).Windows, Is.All.Zero, "a window counts only when it is switched on");
        Assert.That(
            Read("qwen2", ("sliding_window", 16), ("use_sliding_window", true), ("max_window_layers", 3)).Windows, Is.EqualTo(new[] { 0, 0, 0, 16 }));
        Assert.That(
            Read("mistral", ("sliding_window", 16), ("layer_types", new JsonArray("full_attention", "sliding_attention", "full_attention", "sliding_attention"))).Windows,
            Is.EqualTo(new[] { 0, 16, 0, 16 }));
    }

    [Test]
    public void A_window_hides_what_is_older_from_the_answer_and_a_model_without_one_sees_it()
    {
        Assert.That(LastLogits(8, 250), Is.EqualTo(LastLogits(8, 33)).Within(1e-4), "the first token is out of sight");
        Assert.That(LastLogits(0, 250), Is.Not.EqualTo(LastLogits(0, 33)).Within(1e-4));

        static float[] LastLogits(int window, int first)
        {
            using var tiny = new TinyModel(modelType: "mistral", layers: 1);
            if (window > 0)
                tiny.Config["sliding_window"] = window;
            using var decoder = new Portable.Tests.Models.LoadedDecoder(tiny.Write(), Portable.Tests.Models.TestDevice.CpuReference, 64);
            int[] tokens = [first, .. Enumerable.Range(50, 11)];
            return decoder.Logits(tokens)[^TinyModel.VocabularySize..];
        }
    }

    [Test]
    public void Text_positions_count_on_and_an_image_spreads_over_three_axes()
    {
        // Three tokens of text, an image of 2 x 3 tokens, two of text (the worked example of Qwen2-VL's positions).
        MediaSpan span = new(3, 6, new TokenGrid(1, 2, 3), 1);
        int[] positions = RopePositions.Compute(11, 3, [span], out int delta);
        Assert.That(positions[..11], Is.EqualTo(new[] { 0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7 }));
        Assert.That(positions[11..22], Is.EqualTo(new[] { 0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7 }));
        Assert.That(positions[22..], Is.EqualTo(new[] { 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7 }));
        Assert.That(delta, Is.EqualTo(-3));
    }

    [Test]
    public void Two_images_in_a_row_and_one_at_the_end_are_placed_one_after_another()
    {
        int[] positions = RopePositions.Compute(
            9, 3, [new(0, 4, new(1, 2, 2), 1), new(4, 3, new(1, 3, 1), 2), new(8, 1, new(1, 1, 1), 3)], out int delta);
        Assert.That(positions[..9], Is.EqualTo(new[] { 0, 0, 0, 0, 2, 2, 2, 5, 6 }));
        Assert.That(positions[9..18], Is.EqualTo(new[] { 0, 0, 1, 1, 2, 3, 4, 5, 6 }));
        Assert.That(positions[18..], Is.EqualTo(new[] { 0, 1, 0, 1, 2, 2, 2, 5, 6 }));
        Assert.That(delta, Is.EqualTo(7 - 9));
    }

    [Test]
    public void With_one_axis_an_image_counts_like_text()
    {
        int[] positions = RopePositions.Compute(6, 1, [new(1, 4, new(1, 2, 2), 1)], out int delta);
        Assert.That(positions, Is.EqualTo(new[] { 0, 1, 2, 3, 4, 5 }));
        Assert.That(delta, Is.Zero);
        Assert.That(RopePositions.Compute(0, 3, [], out _), Is.Empty);
    }

    [Test]
    public async Task Every_family_answers_alike_with_steps_of_any_size([Values("llama", "mistral", "qwen2", "qwen3")] string family)
    {
        using var tiny = new TinyModel(modelType: family);
        string path = tiny.Write();
        var prompt = new ModelPrompt([.. Enumerable.Range(0, 50).Select(i => 33 + (i * 11 % 90))]);
        var answers = new List<int[]>();
        foreach (int chunk in (int[])[1, 7, 50, 256])
        {
            using PortableModel model = await Engine.Loading.LoadAsync(path, configure: o => o.PrefillChunkTokens = chunk);
            answers.Add(await Engine.Loading.TokensAsync(model, prompt));
        }

        Assert.That(answers, Is.All.EqualTo(answers[0]));
    }
}
