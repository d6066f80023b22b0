using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Testing.Foreign;
using Portable.Vision;
using Portable.Vision.Images;
using Portable.Vision.Towers;

namespace Portable.Tests.Vision.Models;

/// <summary>What holds beside the numbers: caching, memory, cancellation, errors, and the way through services.</summary>
[TestFixture]
[Category("Golden")]
public sealed class VisionBehaviourTests
{
    private const string FirstCase = "image";

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task ThroughServicesAnAnswerAboutAnImageStreamsAsTheReferencesText(string folder)
    {
        JsonElement golden = VisionCases.Golden(folder, FirstCase);
        var services = new ServiceCollection();
        services.AddPortable(o => o.Numerics = NumericMode.Reference).AddCpuBackend().AddVision()
            .AddModel("eyes", o => o.Path = folder).AddChatClient("eyes");
        await using ServiceProvider provider = services.BuildServiceProvider();
        IChatClient client = provider.GetRequiredService<IChatClient>();
        PortableModel model = await provider.GetRequiredKeyedService<ModelHost>("eyes").GetAsync();

        var text = new StringBuilder();
        ChatFinishReason? finish = null;
        int[] greedy = new GoldenTensors(Path.Combine(folder, "golden.safetensors")).Ints($"{FirstCase}/greedy_ids");
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(
            VisionCases.Messages(golden), new ChatOptions { MaxOutputTokens = greedy.Length }))
        {
            text.Append(update.Text);
            finish = update.FinishReason ?? finish;
        }

        // The goldens go on after an end token; an answer does not.
        int end = Array.FindIndex(greedy, t => model.Config.EndTokens.Contains(t));
        int[] answer = end < 0 ? greedy : greedy[..end];
        Assert.That(text.ToString(), Is.EqualTo(model.Tokenizer.Decode(answer, skipSpecialTokens: true)));
        Assert.That(text.ToString(), Is.Not.Empty);
        Assert.That(finish, Is.EqualTo(end < 0 ? ChatFinishReason.Length : ChatFinishReason.Stop));
        if (end < 0)
            Assert.That(text.ToString(), Is.EqualTo(golden.GetProperty("greedy_text").GetString()));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task AFurtherQuestionAboutAnImageRunsNoTowerAndGivesTheSameAnswerAsAFreshModel(string folder)
    {
        DataContent image = VisionCases.Image("images/src/photo_chelsea.png");
        ChatMessage[] first = [new(ChatRole.User, [image, new TextContent("What is it?")])];
        ChatMessage[] second = [new(ChatRole.User, [new TextContent("Once more: "), image, new TextContent("Describe it.")])];
        using var asked = new LoadedVisionModel(folder, new CpuBackend());
        await Answer(asked, first);
        Assert.That(asked.Encoder.TowerRuns, Is.EqualTo(1));
        List<int> again = await Answer(asked, second);
        Assert.That(asked.Encoder.TowerRuns, Is.EqualTo(1), "the text before the image differs, so its keys and values are made anew from kept features");
        using var fresh = new LoadedVisionModel(folder, new CpuBackend());
        Assert.That(again, Is.EqualTo(await Answer(fresh, second)));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task TheNextTurnOfAConversationReusesTheKeysAndValuesOfItsImages(string folder)
    {
        DataContent image = VisionCases.Image("images/src/gen_lines.png");
        var conversation = new List<ChatMessage> { new(ChatRole.User, [image, new TextContent("How many lines?")]) };
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        ModelPrompt first = loaded.Prompt(conversation).Prompt;
        await Answer(loaded, first);
        conversation.Add(new ChatMessage(ChatRole.Assistant, "Fourteen."));
        conversation.Add(new ChatMessage(ChatRole.User, [new TextContent("And here? "), VisionCases.Image("images/src/png_rgb8.png")]));
        ModelPrompt next = loaded.Prompt(conversation).Prompt;
        Generation generation = loaded.Model.Generate(next, Greedy);
        List<int> tokens = await VisionGoldenTests.Tokens(generation);
        // LLaVA-OneVision's template begins an answer otherwise than it writes one down: there the prompts part at its first tokens.
        MediaSpan image1 = first.Spans[^1];
        int shared = first.Tokens.Zip(next.Tokens).TakeWhile(pair => pair.First == pair.Second).Count();
        Assert.That(shared, Is.GreaterThan(image1.Start + image1.Length).And.GreaterThan(first.Tokens.Count - 6));
        // A recurrent state cannot go back to where the conversations part.
        if (loaded.Model.Decoder.Config.Delta is not null)
            Assert.That(generation.CachedTokens, Is.Zero);
        else
            Assert.That(generation.CachedTokens, Is.GreaterThanOrEqualTo(shared).And.LessThan(next.Tokens.Count));
        Assert.That(loaded.Encoder.TowerRuns, Is.EqualTo(2), "one for each image, none for the earlier one again");
        using var fresh = new LoadedVisionModel(folder, new CpuBackend());
        Assert.That(tokens, Is.EqualTo(await Answer(fresh, next)));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task OneImageTwiceInAPromptRunsTheTowerOnce(string folder)
    {
        DataContent image = VisionCases.Image("images/src/png_rgb8.png");
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        await Answer(loaded, [new(ChatRole.User, [image, new TextContent(" and "), image])]);
        Assert.That(loaded.Encoder.TowerRuns, Is.EqualTo(1));
        Assert.That(loaded.Encoder.Cache.Count, Is.EqualTo(1));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task TheFeatureCacheKeepsItsBoundAndForgetsTheLeastRecentlyUsed(string folder)
    {
        string[] files = ["images/src/png_rgb8.png", "images/src/gen_text.png", "images/src/gen_lines.png"];
        long all;
        using (var roomy = new LoadedVisionModel(folder, new CpuBackend()))
        {
            foreach (string file in files)
                await Answer(roomy, About(file));
            all = roomy.Encoder.Cache.Bytes;
        }

        using var tight = new LoadedVisionModel(folder, new CpuBackend(), new VisionOptions { FeatureCacheBytes = all - 1 });
        foreach (string file in files)
        {
            await Answer(tight, About(file));
            Assert.That(tight.Encoder.Cache.Bytes, Is.LessThan(all));
        }

        Assert.That(tight.Encoder.Cache.Count, Is.EqualTo(files.Length - 1));
        await Answer(tight, About(files[^1]));
        Assert.That(tight.Encoder.TowerRuns, Is.EqualTo(files.Length), "the newest is still there");
        await Answer(tight, About(files[0]));
        Assert.That(tight.Encoder.TowerRuns, Is.EqualTo(files.Length + 1), "the oldest had to go");

        using var none = new LoadedVisionModel(folder, new CpuBackend(), new VisionOptions { FeatureCacheBytes = 0 });
        List<int> answer = await Answer(none, [new(ChatRole.User, [.. files.Select(VisionCases.Image), new TextContent("Compare.")])]);
        Assert.That(none.Encoder.Cache.Bytes, Is.Zero, "a prompt may hold more than the bound, but only while it is worked on");
        Assert.That(answer, Is.EqualTo(await Answer(tight, [new(ChatRole.User, [.. files.Select(VisionCases.Image), new TextContent("Compare.")])])));
    }

    [Test]
    public async Task TwoModelsInOneProcessAnswerSideBySideAsEachAlone()
    {
        string[] folders = [.. VisionCases.Models().Where(c => c.Arguments[0] is not null).Select(c => (string)c.Arguments[0]!)];
        if (folders.Length < 2)
            Assert.Ignore("fixtures absent: two checkpoints with images");
        var services = new ServiceCollection();
        IPortableBuilder builder = services.AddPortable(o => o.Numerics = NumericMode.Reference).AddCpuBackend().AddVision();
        foreach (string folder in folders)
            builder.AddModel(Path.GetFileName(folder), o => o.Path = folder).AddChatClient(Path.GetFileName(folder));
        await using ServiceProvider provider = services.BuildServiceProvider();
        await Task.WhenAll(folders.Select(async folder =>
        {
            JsonElement golden = VisionCases.Golden(folder, "two_images");
            int[] greedy = new GoldenTensors(Path.Combine(folder, "golden.safetensors")).Ints("two_images/greedy_ids");
            PortableModel model = await provider.GetRequiredKeyedService<ModelHost>(Path.GetFileName(folder)).GetAsync();
            ChatResponse response = await provider.GetRequiredKeyedService<IChatClient>(Path.GetFileName(folder))
                .GetResponseAsync(VisionCases.Messages(golden), new ChatOptions { MaxOutputTokens = greedy.Length });
            int[] answer = [.. greedy.TakeWhile(t => !model.Config.EndTokens.Contains(t))];
            Assert.That(response.Text, Is.EqualTo(model.Tokenizer.Decode(answer, skipSpecialTokens: true)), folder);
        }));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task DisposingAModelGivesAllItsMemoryBack(string folder)
    {
        var backend = new ForeignBackend();
        using (var loaded = new LoadedVisionModel(folder, backend))
        {
            await Answer(loaded, About("images/src/png_rgb8.png"));
            Assert.That(loaded.Model.Device.ReservedBytesFor(MemoryKind.Vision), Is.GreaterThan(0).And.LessThanOrEqualTo(loaded.Model.Plan.VisionBytes));
        }

        Assert.That(backend.Leaks, Is.Empty);
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task AnImageThatTheMemoryBudgetCannotHoldFailsBeforeTheTowerRunsAndTheNextOneIsAnswered(string folder)
    {
        var backend = new ForeignBackend();
        using (var loaded = new LoadedVisionModel(folder, backend))
        {
            backend.Faults.Fail(ForeignCall.Allocate, backend.Faults.Calls(ForeignCall.Allocate) + 1, FaultKind.OutOfMemory);
            await Assert.ThrowsAsync<DeviceOutOfMemoryException>(() => Answer(loaded, About("images/src/png_rgb8.png")));
            Assert.That(loaded.Encoder.TowerRuns, Is.Zero);
            Assert.That(await Answer(loaded, About("images/src/png_rgb8.png")), Is.Not.Empty);
        }

        Assert.That(backend.Leaks, Is.Empty);
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task AFailureInTheMiddleOfATowerLeavesNothingBehindAndNothingInTheCache(string folder)
    {
        var backend = new ForeignBackend();
        using (var loaded = new LoadedVisionModel(folder, backend))
        {
            backend.Faults.Fail(ForeignCall.Execute, backend.Faults.Calls(ForeignCall.Execute) + 20);
            await Assert.ThrowsAsync<DeviceException>(() => Answer(loaded, About("images/src/png_rgb8.png")));
            Assert.That(loaded.Encoder.Cache.Count, Is.Zero);
            Assert.That(loaded.Encoder.Cache.Bytes, Is.Zero);
            List<int> answer = await Answer(loaded, About("images/src/png_rgb8.png"));
            using var fresh = new LoadedVisionModel(folder, new ForeignBackend());
            Assert.That(answer, Is.EqualTo(await Answer(fresh, About("images/src/png_rgb8.png"))));
        }

        Assert.That(backend.Leaks, Is.Empty);
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void ABrokenImageIsTheRequestsErrorAndNamesTheImage(string folder)
    {
        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        byte[] broken = Fixtures.Bytes(Fixtures.Find("images", "src", "png_rgb8.png")!)[..100];
        ChatMessage[] messages =
        [
            new(ChatRole.User, [VisionCases.Image("images/src/png_rgb8.png"), new DataContent(broken, "image/png"), new TextContent("What is it?")]),
        ];
        Assert.That(() => loaded.Prompt(messages), Throws.TypeOf<InvalidInputException>().With.Message.StartsWith("image 2:"));
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void AnImageLargerThanPlannedIsEncodedAsWellAndAFollowingOneGivesItsMemoryBack(string folder)
    {
        using var loaded = new LoadedVisionModel(folder, new CpuBackend(), new VisionOptions { PlannedPixels = 1, FeatureCacheBytes = 0 });
        using var planned = new LoadedVisionModel(folder, new CpuBackend(), new VisionOptions { FeatureCacheBytes = 0 });
        string[] files = [.. new[] { "images/src/photo_chelsea.png", "images/src/png_rgb8.png", "images/src/gen_wide.png" }
            .OrderBy(f => loaded.Encoder.GridOf(Prepare(loaded, f)).Patches)];
        PreparedImage large = Prepare(loaded, files[^1]), small = Prepare(loaded, files[0]);
        if (loaded.Encoder.GridOf(large).Patches == loaded.Encoder.GridOf(small).Patches)
            Assert.Ignore("images of any size become one here");
        float[] expected = Features(planned, Prepare(planned, files[^1]));
        Assert.That(Features(loaded, large), Is.EqualTo(expected));
        long held = loaded.Model.Device.ReservedBytesFor(MemoryKind.Vision);
        Features(loaded, small);
        Assert.That(loaded.Model.Device.ReservedBytesFor(MemoryKind.Vision), Is.LessThan(held));

        static PreparedImage Prepare(LoadedVisionModel model, string file) => model.Encoder.Prepare(VisionCases.Image(file).Data, file, default);

        static float[] Features(LoadedVisionModel model, PreparedImage image)
        {
            using EncodedImage encoded = model.Encoder.Encode(image, model.Stream, default);
            return model.Download(encoded.Features);
        }
    }

    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public void FewerPixelsByOptionTakeFewerTokens(string folder)
    {
        DataContent image = VisionCases.Image("images/src/photo_chelsea.png");
        using var whole = new LoadedVisionModel(folder, new CpuBackend());
        int all = whole.Encoder.Prepare(image.Data, "image 1", default).Grid.Count;
        if (whole.Encoder.Config.Connector == ConnectorKind.Pooled)
            Assert.Ignore("images of any size become one here");
        int side = whole.Encoder.Config.PatchSize * whole.Encoder.Config.MergeSize, wanted = all / 2;
        using var capped = new LoadedVisionModel(folder, new CpuBackend(), new VisionOptions { MinPixels = 1, MaxPixels = (long)wanted * side * side });
        Assert.That(capped.Encoder.Prepare(image.Data, "image 1", default).Grid.Count, Is.InRange(1, whole.Encoder.Config.HasNewline ? all - 1 : wanted), "LLaVA knows only listed sizes, of which the least is left");
    }

    [Test]
    public void ACancelledTowerStopsBetweenBlocksAndKeepsNothing()
    {
        TestCaseData model = VisionCases.Models().First();
        if (model.Arguments[0] is not string folder)
        {
            Assert.Ignore("fixtures absent: checkpoints with images");
            return;
        }

        using var loaded = new LoadedVisionModel(folder, new CpuBackend());
        PreparedImage image = loaded.Encoder.Prepare(VisionCases.Image("images/src/png_rgb8.png").Data, "image 1", default);
        Assert.That(
            () => loaded.Encoder.Encode(image, loaded.Stream, new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(loaded.Encoder.Cache.Bytes, Is.Zero);
    }

    [Test]
    public void OptionsOutOfRangeAreRefusedByName()
    {
        var services = new ServiceCollection();
        services.AddPortable().AddVision(o => o.FeatureCacheBytes = -1);
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(() => provider.GetServices<IImageEncoderFactory>().ToList(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains("FeatureCacheBytes"));
        Assert.That(
            () => new ImageEncoderFactory(null, new VisionOptions { MinPixels = 2, MaxPixels = 1 }),
            Throws.TypeOf<InvalidInputException>().With.Message.Contains("MinPixels"));
    }

    [Test]
    public void AnOwnImageDecoderTakesThePlaceOfTheBuiltInOne()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IImageDecoder, OwnDecoder>();
        services.AddPortable().AddVision().AddVision();
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(provider.GetRequiredService<IImageDecoder>(), Is.TypeOf<OwnDecoder>());
        Assert.That(provider.GetServices<IImageEncoderFactory>().Count(), Is.EqualTo(1), "adding vision twice adds it once");
    }

    private static GenerationOptions Greedy => new() { MaxTokens = 8, IgnoreEndTokens = true };

    private static ChatMessage[] About(string file) => [new(ChatRole.User, [VisionCases.Image(file), new TextContent("What is it?")])];

    private static Task<List<int>> Answer(LoadedVisionModel loaded, IReadOnlyList<ChatMessage> messages) =>
        Answer(loaded, loaded.Prompt(messages).Prompt);

    private static Task<List<int>> Answer(LoadedVisionModel loaded, ModelPrompt prompt) =>
        VisionGoldenTests.Tokens(loaded.Model.Generate(prompt, Greedy));

    private sealed class OwnDecoder : IImageDecoder
    {
        public RgbImage Decode(ReadOnlyMemory<byte> file, ImageDecodeOptions? options = null) => new(1, 1, [1, 2, 3]);
    }
}
