using System.Text.Json;
using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Decoding.Model;
using Portable.Vision;

namespace Portable.Tests.Vision.Models;

/// <summary>
/// A GGUF language model with its projector file (mmproj) sees what the same model sees from its Hugging Face folder, which the goldens hold to
/// transformers. The files are written here, after the converter's names: none that llama.cpp's converter wrote is at hand.
/// </summary>
[TestFixture]
[Category("Golden")]
public sealed class ProjectorTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-mmproj-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private string Language => Path.Combine(_folder, "model-q8_0.gguf");

    private string Projector => Path.Combine(_folder, "mmproj-model-f16.gguf");

    private static IEnumerable<TestCaseData> Qwens()
    {
        bool any = false;
        foreach (string name in (string[])["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
        {
            if (Fixtures.Find("checkpoints", name) is not { } folder)
                continue;
            any = true;
            yield return new TestCaseData(folder).SetArgDisplayNames(name);
        }

        if (!any)
            yield return Fixtures.Absent("checkpoints of Qwen-VL");
    }

    [TestCaseSource(nameof(Qwens))]
    public void AProjectorBesideTheModelSeesWhatTheFolderSees(string folder)
    {
        Write(folder);
        using var expected = new LoadedVisionModel(folder, new CpuBackend());
        using var found = new LoadedVisionModel(Language, new CpuBackend());
        using JsonDocument json = Fixtures.Json(Path.Combine(folder, "golden.json"));
        var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
        foreach (JsonProperty one in json.RootElement.GetProperty("cases").EnumerateObject())
        {
            JsonElement golden = VisionCases.Golden(folder, one.Name);
            var messages = VisionCases.Messages(golden, tensors);
            // Videos need settings that projector files do not have.
            if (messages.Any(m => m.Contents.Any(c => c.GetType().Name.Contains("Video", StringComparison.Ordinal))))
                continue;
            ModelPrompt wanted = expected.Prompt(messages).Prompt, got = found.Prompt(messages).Prompt;
            Assert.That(got.Tokens, Is.EqualTo(wanted.Tokens), one.Name);
            Assert.That(found.Positions(got, out int delta), Is.EqualTo(expected.Positions(wanted, out int expectedDelta)), one.Name);
            Assert.That(delta, Is.EqualTo(expectedDelta));
            Near(Logits(found, got), Logits(expected, wanted), one.Name);
        }
    }

    [TestCaseSource(nameof(Qwens))]
    public void OlderFilesWithTheNamesOfTheMlpExchangedAreRead(string folder)
    {
        Write(folder, qwen => qwen.Projector(swapsFeedForward: true));
        using var expected = new LoadedVisionModel(folder, new CpuBackend());
        using var found = new LoadedVisionModel(Language, new CpuBackend());
        (ModelPrompt wanted, ModelPrompt got) = FirstPrompts(folder, expected, found);
        Near(Logits(found, got), Logits(expected, wanted), "first case");
    }

    [TestCaseSource(nameof(Qwens))]
    public async Task AnEngineFileHoldsBothFiles(string folder)
    {
        Write(folder);
        var backend = new CpuBackend();
        string engine = Path.Combine(_folder, "model.engine");
        await EngineBuilder.BuildAsync(
            new ModelOptions { Path = Language, Numerics = NumericMode.Reference }, engine, new BackendSelector([backend]), imageEncoders: [new ImageEncoderFactory()]);
        using var expected = new LoadedVisionModel(Language, backend);
        File.Delete(Projector);
        using var found = new LoadedVisionModel(engine, backend);
        (ModelPrompt wanted, ModelPrompt got) = FirstPrompts(folder, expected, found);
        Assert.That(Logits(found, got), Is.EqualTo(Logits(expected, wanted)));
    }

    [TestCaseSource(nameof(Qwens))]
    public void WithoutAProjectorTheModelAnswersTextOnly(string folder)
    {
        using (var qwen = new QwenAsGguf(folder))
            File.WriteAllBytes(Language, qwen.Language());
        using var found = new LoadedVisionModel(Language, new CpuBackend());
        Assert.That(found.Model.TakesImages, Is.False);
    }

    [TestCaseSource(nameof(Qwens))]
    public async Task ANamedProjectorIsTakenAndAWrongOneIsATypedError(string folder)
    {
        Write(folder);
        string elsewhere = Path.Combine(_folder, "elsewhere");
        Directory.CreateDirectory(elsewhere);
        string moved = Path.Combine(elsewhere, "vision.gguf");
        File.Move(Projector, moved);
        using (PortableModel model = await LoadAsync(Language, moved))
            Assert.That(model.TakesImages, Is.True);
        await Refused(() => LoadAsync(Language, Language), "general.architecture");
        await Refused(() => LoadAsync(Language, Path.Combine(elsewhere, "absent.gguf")), "absent.gguf");
        await Refused(() => LoadAsync(Language, elsewhere), "it is a folder");
        await Refused(() => LoadAsync(folder, moved), "no GGUF file");
        await Refused(() => LoadAsync(moved, null), "name the language model's GGUF file");
    }

    [TestCaseSource(nameof(Qwens))]
    public async Task WhatContradictsItselfIsATypedErrorThatNamesIt(string folder)
    {
        const string v = "clip.vision.";
        bool isQwen3 = folder.EndsWith("qwen3_vl", StringComparison.Ordinal);
        using var qwen = new QwenAsGguf(folder);
        File.WriteAllBytes(Language, qwen.Language());
        foreach (string tensor in (string[])["mm.2.weight", "v.patch_embd.weight.1", "v.blk.1.ffn_up.weight", "v.post_ln.weight", isQwen3 ? "v.position_embd.weight" : "v.blk.0.attn_k.weight"])
            await With(qwen.Projector(without: tensor), tensor);
        await With(qwen.Projector(type: "resampler"), "resampler");
        await With(qwen.Projector(type: isQwen3 ? "qwen2vl_merger" : "qwen3vl_merger"), "clip.projector_type");
        byte[] sound = qwen.Projector();
        await With(sound[..(sound.Length / 2)], "mmproj-model-f16.gguf");
        foreach (string key in (string[])["attention.head_count", "patch_size", "block_count", "embedding_length", "feed_forward_length", "image_mean"])
        {
            await With(Replaced(sound, v + key, v + "some_" + key[5..]), key);
        }

        async Task With(byte[] projector, string what)
        {
            File.WriteAllBytes(Projector, projector);
            await Refused(() => LoadAsync(Language, null), what, Path.GetFileName(Projector));
        }
    }

    [Test]
    public void OfSeveralProjectorsTheSmallerFloatsAreTaken()
    {
        if (Fixtures.Find("checkpoints", "qwen2_vl") is not { } folder)
        {
            Assert.Ignore("fixtures absent: no 'checkpoints/qwen2_vl'");
            return;
        }

        Write(folder);
        File.WriteAllText(Path.Combine(_folder, "mmproj-model-f32.gguf"), "broken");
        File.WriteAllText(Path.Combine(_folder, "mmproj-model-bf16.gguf"), "broken");
        using var found = new LoadedVisionModel(Language, new CpuBackend());
        Assert.That(found.Model.TakesImages, Is.True);
    }

    private void Write(string folder, Func<QwenAsGguf, byte[]>? projector = null)
    {
        using var qwen = new QwenAsGguf(folder);
        File.WriteAllBytes(Language, qwen.Language());
        File.WriteAllBytes(Projector, projector is null ? qwen.Projector() : projector(qwen));
    }

    private static (ModelPrompt Expected, ModelPrompt Found) FirstPrompts(string folder, LoadedVisionModel expected, LoadedVisionModel found)
    {
        using JsonDocument json = Fixtures.Json(Path.Combine(folder, "golden.json"));
        JsonElement golden = VisionCases.Golden(folder, json.RootElement.GetProperty("cases").EnumerateObject().First().Name);
        var messages = VisionCases.Messages(golden, new GoldenTensors(Path.Combine(folder, "golden.safetensors")));
        return (expected.Prompt(messages).Prompt, found.Prompt(messages).Prompt);
    }

    private static float[] Logits(LoadedVisionModel model, ModelPrompt prompt)
    {
        int[] ids = [.. prompt.Tokens];
        DecoderSession session = model.Session(chunkTokens: ids.Length);
        session.Prefill(ids, model.Positions(prompt, out _), model.Encode(prompt), ids.Length);
        return session.AllLogits().ToArray();
    }

    // The same numbers in another order of sums.
    private static void Near(float[] found, float[] expected, string what) => Assert.That(Portable.Testing.Logits.MaxError(found, expected), Is.LessThan(2e-4), what);

    private static Task<PortableModel> LoadAsync(string path, string? projector) => PortableModel.LoadAsync(
        new ModelOptions { Path = path, ProjectorPath = projector, Numerics = NumericMode.Reference, ContextTokens = 256 },
        new BackendSelector([new CpuBackend()]), imageEncoders: [new ImageEncoderFactory()]);

    private static async Task Refused(Func<Task<PortableModel>> load, string what, string? where = null)
    {
        PortableException error = (await Assert.CatchAsync<PortableException>(async () => (await load()).Dispose(), what))!;
        Assert.That(error.Message, Does.Contain(what).And.Contain(where ?? what));
    }

    /// <summary>The file with a key renamed to another of the same length.</summary>
    private static byte[] Replaced(byte[] file, string key, string by)
    {
        byte[] copy = [.. file];
        int at = copy.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(key));
        System.Text.Encoding.UTF8.GetBytes(by.PadRight(key.Length, 'x')[..key.Length]).CopyTo(copy, at);
        return copy;
    }
}
