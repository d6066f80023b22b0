using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Backends.Cpu;
using Portable.Checkpoints;
using Portable.Decoding;
using Portable.Testing.Foreign;
using Portable.Tests.Engine;

namespace Portable.Tests.Models;

/// <summary>
/// Engine files: a start from one gives the bits that the checkpoint gives, of every family and form; a file of another layout, version or checkpoint,
/// or a damaged one, is refused with the command that builds it again.
/// </summary>
[TestFixture]
public sealed class EngineFileTests
{
    private string _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-engine-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private string Output => Path.Combine(_folder, "model.engine");

    private static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("checkpoints") is not { } folder)
        {
            yield return Fixtures.Absent("checkpoints");
            yield break;
        }

        foreach (string checkpoint in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (!File.Exists(Path.Combine(checkpoint, "config.json")))
                continue;
            string name = Path.GetFileName(checkpoint);
            yield return new TestCaseData(checkpoint).SetName($"An engine file of {name} gives the same bits");
            foreach (string gguf in Directory.EnumerateFiles(checkpoint, "*.gguf").Order(StringComparer.Ordinal).Take(1))
                yield return new TestCaseData(gguf).SetName($"An engine file of {name} as GGUF gives the same bits");
        }
    }

    [TestCaseSource(nameof(Cases))]
    [Category("Golden")]
    public void AnEngineFileGivesTheSameBits(string model)
    {
        Build(model, NumericMode.Fast).GetAwaiter().GetResult();
        int[] prompt = [.. Enumerable.Range(0, 21).Select(i => 3 + (i * 7 % 80))];
        using var expected = new LoadedDecoder(model, TestDevice.CpuFast, context: 256);
        using var found = new LoadedDecoder(Output, TestDevice.CpuFast, context: 256);
        AssertBits(found.Logits(prompt), expected.Logits(prompt));
        AssertBits(found.LogitsByDecoding(prompt), expected.LogitsByDecoding(prompt));
    }

    [Test]
    public async Task AWholeModelAnswersFromItAsFromItsCheckpointInBothModes([Values] NumericMode numerics)
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        EngineSummary summary = await Build(path, numerics);
        Assert.That(summary.Bytes, Is.EqualTo(new FileInfo(Output).Length));
        using PortableModel expected = await Loading.LoadAsync(path, configure: o => o.Numerics = numerics);
        using PortableModel found = await Loading.LoadAsync(Output, configure: o => o.Numerics = numerics);
        ModelPrompt prompt = Loading.Prompt(expected, "hello there");
        Assert.That(Loading.Prompt(found, "hello there").Tokens, Is.EqualTo(prompt.Tokens));
        Assert.That(await Loading.TokensAsync(found, prompt), Is.EqualTo(await Loading.TokensAsync(expected, prompt)));
        Assert.That((await Loading.AskAsync(found, "hello")).Text, Is.EqualTo((await Loading.AskAsync(expected, "hello")).Text));
        Assert.That(found.Plan.WeightBytes, Is.EqualTo(expected.Plan.WeightBytes));
    }

    [Test]
    public async Task ItStandsAlone()
    {
        using (var tiny = new TinyModel())
        {
            string path = tiny.Write();
            await Build(path);
            Directory.Delete(path, recursive: true);
            Directory.CreateDirectory(path);
        }

        using PortableModel found = await Loading.LoadAsync(Output, configure: o => o.Numerics = NumericMode.Fast);
        Assert.That(await Loading.TokensAsync(found, Loading.Prompt(found, "hello")), Has.Length.EqualTo(12));
    }

    [Test]
    public async Task TheSameCheckpointGivesTheSameBytes()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        await Build(path);
        byte[] first = File.ReadAllBytes(Output);
        await Build(path);
        Assert.That(File.ReadAllBytes(Output), Is.EqualTo(first));
    }

    [Test]
    public async Task AChangedCheckpointIsNoticed()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        await Build(path);
        string weights = Path.Combine(path, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);
        await AssertRefused("is not the file any more that it was built from", $"portable build {path} -o {Output}");
    }

    [Test]
    public async Task AnotherModeOrDeviceIsRefusedWithTheCommandForIt()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        await Build(path);
        await AssertRefused("\"cpu canonical, 1\"", $"portable build {path} -o {Output} --numerics reference", o => o.Numerics = NumericMode.Reference);
        InvalidModelException other = (await Assert.ThrowsAsync<InvalidModelException>(() => Loading.LoadAsync(Output, new ForeignBackend())))!;
        Assert.That(other.Message, Does.Contain("takes \"none\"").And.Contain("portable build "));
        await Build(path, NumericMode.Reference);
        await AssertRefused("\"cpu panels of 32", $"portable build {path} -o {Output}.", o => o.Numerics = NumericMode.Fast);
    }

    [Test]
    public async Task ADeviceWithoutALayoutCannotBuildOne()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        var backend = new ForeignBackend();
        await Assert.ThrowsAsync<UnsupportedException>(() => EngineBuilder.BuildAsync(Loading.Options(path, backend.Id), Output, new BackendSelector([backend])));
        Assert.That(Directory.GetFileSystemEntries(_folder), Is.Empty);
        await Build(path);
        InvalidInputException again = (await Assert.ThrowsAsync<InvalidInputException>(() => Build(Output)))!;
        Assert.That(again.Message, Does.Contain("engine file already"));
    }

    [Test]
    public async Task WhatIsNoEngineFileIsNotReplaced()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        File.WriteAllText(Output, "a letter");
        await Assert.ThrowsAsync<InvalidInputException>(() => Build(path));
        Assert.That(File.ReadAllText(Output), Is.EqualTo("a letter"));
        File.Delete(Output);
        await Build(path);
        await Build(path);
        Assert.That(Directory.GetFileSystemEntries(_folder), Is.EqualTo(new[] { Output }));
    }

    [Test]
    public async Task AFailedOrCancelledBuildLeavesNothing()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        await Assert.CatchAsync<OperationCanceledException>(() => EngineBuilder.BuildAsync(
            Loading.Options(path, "cpu"), Output, new BackendSelector([new CpuBackend()]), cancellation: cancelled.Token));
        File.Delete(Path.Combine(path, "tokenizer.json"));
        await Assert.ThrowsAsync<InvalidModelException>(() => Build(path));
        await Assert.ThrowsAsync<InvalidInputException>(() => EngineBuilder.BuildAsync(
            Loading.Options(path, "cpu"), Path.Combine(_folder, "nowhere", "model.engine"), new BackendSelector([new CpuBackend()])));
        Assert.That(Directory.GetFileSystemEntries(_folder), Is.Empty);
    }

    [Test]
    public async Task EveryByteOfHeaderAndIndexIsGuardedAtEveryStart()
    {
        using var tiny = new TinyModel(layers: 1);
        await Build(tiny.Write());
        byte[] sound = File.ReadAllBytes(Output);
        long index = BitConverter.ToInt64(sound, 24);
        var random = new Random(5);
        IEnumerable<int> places = Enumerable.Range(8, EngineFormat.HeaderBytes - 8)
            .Concat(Enumerable.Range(0, 200).Select(_ => random.Next((int)index, sound.Length)));
        foreach (int place in places)
        {
            byte[] damaged = [.. sound];
            damaged[place] ^= 0x40;
            File.WriteAllBytes(Output, damaged);
            InvalidModelException error = Assert.Throws<InvalidModelException>(() => Checkpoint.Open(Output).Dispose(), $"byte {place}")!;
            Assert.That(error.Message, Does.Contain("build the engine file again: portable build"));
        }

        foreach (int length in (int[])[8, 100, EngineFormat.HeaderBytes, (int)index, sound.Length - 1])
        {
            File.WriteAllBytes(Output, sound[..length]);
            Assert.Throws<InvalidModelException>(() => Checkpoint.Open(Output).Dispose(), $"{length} bytes");
        }

        File.WriteAllBytes(Output, [.. sound, 0]);
        Assert.Throws<InvalidModelException>(() => Checkpoint.Open(Output).Dispose());
    }

    [Test]
    public async Task DamagedContentsAreFoundByVerify()
    {
        using var tiny = new TinyModel(layers: 1);
        await Build(tiny.Write());
        byte[] sound = File.ReadAllBytes(Output);
        using (Checkpoint checkpoint = Checkpoint.Open(Output))
            checkpoint.Verify(default);
        var random = new Random(6);
        long index = BitConverter.ToInt64(sound, 24);
        EngineIndex entries = Index(sound);
        EngineSection[] sections = [.. entries.Weights, .. entries.Files, .. entries.Tensors.Select(t => t.Data).OfType<EngineSection>()];
        for (int i = 0; i < 50; i++)
        {
            EngineSection section = sections[random.Next(sections.Length)];
            byte[] damaged = [.. sound];
            damaged[section.Offset + random.NextInt64(section.Bytes)] ^= 1;
            File.WriteAllBytes(Output, damaged);
            InvalidModelException error = Assert.Throws<InvalidModelException>(
                () =>
                {
                    using Checkpoint checkpoint = Checkpoint.Open(Output);
                    checkpoint.Verify(default);
                },
                section.Name)!;
            Assert.That(error.Message, Does.Contain("portable build").Or.Contain("JSON"));
        }
    }

    [Test]
    public async Task DamagedSmallContentsAreNoticedAtAStart()
    {
        using var tiny = new TinyModel(layers: 1);
        await Build(tiny.Write());
        byte[] sound = File.ReadAllBytes(Output);
        EngineIndex entries = Index(sound);
        EngineSection[] sections = [.. entries.Files, .. entries.Tensors.Select(t => t.Data).OfType<EngineSection>()];
        Assert.That(sections, Is.Not.Empty);
        foreach (EngineSection section in sections)
        {
            byte[] damaged = [.. sound];
            damaged[section.Offset + (section.Bytes / 2)] ^= 1;
            File.WriteAllBytes(Output, damaged);
            await AssertRefused($"{section.Name}: its bytes are not those that were written", "portable build", o => o.Numerics = NumericMode.Fast);
        }
    }

    [Test]
    public async Task WhatAKilledBuildLeftIsOverwritten()
    {
        using var tiny = new TinyModel();
        File.WriteAllText(Output + ".partial", "half of one");
        await Build(tiny.Write());
        Assert.That(Directory.GetFileSystemEntries(_folder), Is.EqualTo(new[] { Output }));
    }

    [Test]
    public async Task ALinkIsFollowed()
    {
        using var tiny = new TinyModel();
        string target = Path.Combine(_folder, "target.engine");
        await Build(tiny.Write());
        File.Move(Output, target);
        File.CreateSymbolicLink(Output, target);
        File.SetLastWriteTimeUtc(target, DateTime.UnixEpoch);
        await Build(tiny.Write());
        Assert.That(new FileInfo(Output).LinkTarget, Is.EqualTo(target));
        Assert.That(File.GetLastWriteTimeUtc(target), Is.GreaterThan(DateTime.UnixEpoch));
    }

    [Test]
    public async Task AnIndexThatLiesIsATypedErrorAlsoWhereItsHashesAgree()
    {
        using var tiny = new TinyModel(layers: 1);
        await Build(tiny.Write());
        byte[] sound = File.ReadAllBytes(Output);
        await Refused(json => json["Weights"]![0]!["Offset"] = 1 << 30);
        await Refused(json => json["Weights"]![0]!["Offset"] = -64);
        await Refused(json => json["Weights"]![0]!["Offset"] = 129);
        await Refused(json => json["Weights"]![0]!["Bytes"] = long.MaxValue);
        await Refused(json => json["Weights"]![0] = null);
        await Refused(json => json["Weights"] = null);
        await Refused(json => json["Weights"]!.AsArray().Add(json["Weights"]![0]!.DeepClone()));
        await Refused(json => json["Weights"]!.AsArray().Clear());
        await Refused(json => json["Tensors"]!.AsArray().Add(json["Tensors"]![0]!.DeepClone()));
        await Refused(json => json["Tensors"]![0]!["Shape"] = new JsonArray(-1, 4));
        await Refused(json => json["Tensors"]![0]!["Shape"] = new JsonArray(long.MaxValue, long.MaxValue));
        await Refused(json => json["Tensors"]!.AsArray().First(t => t!["Data"] is not null)!["Shape"] = new JsonArray(1 << 20));
        await Refused(json => json["Tensors"]!.AsArray().First(t => t!["Data"] is not null)!["Data"] = null);
        await Refused(json => json["Matrices"]!.AsArray().Clear());
        await Refused(json => json["Matrices"]![0]!["Rows"] = -1);
        await Refused(json => json["Matrices"]![0]!["Columns"] = int.MaxValue);
        await Refused(json => json["Matrices"]![0]!["Encoding"] = 99);
        await Refused(json => json["Matrices"]![0]!["GroupSize"] = 3);
        await Refused(json => json["Modules"]!.AsArray().Add(null));
        await Refused(json => json["Files"]!.AsArray().Clear());
        await Refused(json => json["Kind"] = 77);
        await Refused(json => json["Kind"] = (int)CheckpointKind.Gguf);
        await Refused(json => json["Layout"] = "another");
        await Refused(json => json.Remove("Layout"));

        async Task Refused(Action<JsonObject> change)
        {
            var json = (JsonObject)JsonNode.Parse(sound.AsSpan((int)BitConverter.ToInt64(sound, 24)))!;
            change(json);
            byte[] index = JsonSerializer.SerializeToUtf8Bytes<JsonNode>(json);
            long offset = BitConverter.ToInt64(sound, 24);
            byte[] header = EngineFormat.Header(offset + index.Length, offset, index);
            File.WriteAllBytes(Output, [.. header, .. sound.AsSpan(EngineFormat.HeaderBytes, (int)offset - EngineFormat.HeaderBytes), .. index]);
            await Assert.CatchAsync<PortableException>(
                async () => (await Loading.LoadAsync(Output, configure: o => o.Numerics = NumericMode.Fast)).Dispose(), json.ToJsonString());
        }
    }

    [TestCase("a\0b")]
    [TestCase("")]
    [TestCase("model.safetensors")]
    [TestCase(@"\\server\share\model.safetensors")]
    [TestCase("//server/share/model.safetensors")]
    [TestCase("/dev/zero")]
    public async Task SourcesThatCannotBeAskedAreNot(string source)
    {
        using var tiny = new TinyModel(layers: 1);
        await Build(tiny.Write());
        byte[] sound = File.ReadAllBytes(Output);
        int offset = (int)BitConverter.ToInt64(sound, 24);
        var json = (JsonObject)JsonNode.Parse(sound.AsSpan(offset))!;
        json["SourceFiles"] = new JsonArray(new JsonObject { ["Path"] = source, ["Bytes"] = 5, ["Sample"] = "" });
        byte[] index = JsonSerializer.SerializeToUtf8Bytes<JsonNode>(json);
        File.WriteAllBytes(Output, [.. EngineFormat.Header(offset + index.Length, offset, index), .. sound.AsSpan(EngineFormat.HeaderBytes, offset - EngineFormat.HeaderBytes), .. index]);
        if (source == "/dev/zero")
            Assert.Throws<InvalidModelException>(() => Checkpoint.Open(Output).Dispose(), "it is there, and another file");
        else
            Checkpoint.Open(Output).Dispose();
    }

    [Test]
    public async Task AModelKeepsItsFileWhenAnotherIsBuiltInItsPlace()
    {
        using var tiny = new TinyModel();
        using var other = new TinyModel(seed: 9);
        await Build(tiny.Write());
        using PortableModel model = await Loading.LoadAsync(Output, configure: o => o.Numerics = NumericMode.Fast);
        ModelPrompt prompt = Loading.Prompt(model, "hello there");
        int[] before = await Loading.TokensAsync(model, prompt);
        await Build(other.Write());
        Assert.That(await Loading.TokensAsync(model, prompt), Is.EqualTo(before));
        using PortableModel now = await Loading.LoadAsync(Output, configure: o => o.Numerics = NumericMode.Fast);
        Assert.That(await Loading.TokensAsync(now, prompt), Is.Not.EqualTo(before));
    }

    private static EngineIndex Index(byte[] file) =>
        JsonSerializer.Deserialize(file.AsSpan((int)BitConverter.ToInt64(file, 24)), EngineIndexJson.Default.EngineIndex)!;

    private Task<EngineSummary> Build(string model, NumericMode numerics = NumericMode.Fast) => EngineBuilder.BuildAsync(
        Loading.Options(model, BackendSelector.Auto, o => o.Numerics = numerics), Output, new BackendSelector([new CpuBackend()]));

    private async Task AssertRefused(string problem, string command, Action<ModelOptions>? configure = null)
    {
        InvalidModelException error = (await Assert.ThrowsAsync<InvalidModelException>(() => Loading.LoadAsync(Output, configure: configure)))!;
        Assert.That(error.Message, Does.Contain(problem));
        Assert.That(error.Message, Does.Contain(command));
    }

    private static void AssertBits(float[] found, float[] expected) => Assert.That(
        MemoryMarshal.Cast<float, int>(found).ToArray(), Is.EqualTo(MemoryMarshal.Cast<float, int>(expected).ToArray()));
}
