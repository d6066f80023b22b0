using System.Text.Json;
using System.Text.Json.Nodes;
using Portable.Backends.Cpu;
using Portable.Decoding.Architecture;

namespace Portable.Tests.Architecture;

/// <summary>Every field of every family's config.json replaced by what does not belong there: read, or refused by name.</summary>
[TestFixture]
[Category("Golden")]
public sealed class ConfigMutationTests
{
    private static readonly string?[] Values =
        ["0", "-1", "1", "3", "7", "0.5", "-0.001", "1e-300", "1e300", "16777216", "2147483647", "4294967296", "true", "\"x\"", "\"\"", "[]", "[-1]", "[null]", "[1,2,3]", "{}", "{\"a\":[]}", "null", null];

    private static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("checkpoints") is not { } folder)
        {
            yield return Fixtures.Absent("checkpoints");
            yield break;
        }

        foreach (string config in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Select(f => Path.Combine(f, "config.json")).Where(File.Exists))
            yield return new TestCaseData(config).SetName($"{Path.GetFileName(Path.GetDirectoryName(config))} config.json, field by field");
    }

    [TestCaseSource(nameof(Cases))]
    public void AFieldOfTheWrongTypeOrSizeIsReadOrRefusedButNeverBreaksTheReader(string file)
    {
        string text = File.ReadAllText(file);
        if (!TryRead(text))
            Assert.Ignore("not supported yet");
        int refused = 0;
        foreach (string?[] path in Paths(JsonNode.Parse(text)!.AsObject()))
        {
            foreach (string? value in Values)
            {
                JsonObject root = JsonNode.Parse(text)!.AsObject(), owner = root;
                foreach (string? step in path[..^1])
                    owner = owner[step!]!.AsObject();
                owner.Remove(path[^1]!);
                if (value is not null)
                    owner[path[^1]!] = JsonNode.Parse(value);
                refused += TryRead(root.ToJsonString()) ? 0 : 1;
            }
        }

        Assert.That(refused, Is.GreaterThan(100), "the reader checks what it reads");

        bool TryRead(string json)
        {
            using JsonDocument document = JsonDocument.Parse(json);
            try
            {
                DecoderConfig config = HuggingFaceDecoder.Read(file, document.RootElement, null);
                // What was accepted can be used: no index or product goes astray.
                foreach (RopeConfig rope in config.LocalRope is { } local ? [config.Rope, local] : new[] { config.Rope })
                    Assert.That(rope.InverseFrequencies(1 << 20), Has.Length.EqualTo(rope.FrequencyAxes().Length).And.None.NaN);
                for (int layer = 0; layer < config.Layers; layer++)
                    _ = (config.Attention(layer), config.RopeOf(layer), config.HasExperts(layer));
                Assert.That(DecoderWorkspace(config), Is.Positive);
                return true;
            }
            catch (Exception error) when (error is InvalidModelException or UnsupportedException)
            {
                Assert.That(error.Message, Does.Contain(file));
                return false;
            }
        }
    }

    private static long DecoderWorkspace(DecoderConfig config)
    {
        var backend = new CpuBackend();
        using Device device = backend.Open(backend.Probe().Devices[0], new DeviceOptions { Threads = 1 });
        return Portable.Decoding.Model.DecoderWorkspace.Bytes(device, config, 512, 1, 1, 16);
    }

    private static IEnumerable<string[]> Paths(JsonObject node)
    {
        foreach ((string name, JsonNode? value) in node)
        {
            yield return [name];
            if (value is JsonObject inner)
            {
                foreach (string[] path in Paths(inner))
                    yield return [name, .. path];
            }
        }
    }
}
