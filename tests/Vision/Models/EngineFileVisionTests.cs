using System.Runtime.InteropServices;
using System.Text.Json;
using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Vision;

namespace Portable.Tests.Vision.Models;

/// <summary>An engine file of a vision-language model stands alone: the same prompt, features and picture settings without the folder.</summary>
[TestFixture]
[Category("Golden")]
public sealed class EngineFileVisionTests
{
    [TestCaseSource(typeof(VisionCases), nameof(VisionCases.Models))]
    public async Task AnEngineFileSeesWhatItsCheckpointSees(string folder)
    {
        DirectoryInfo place = Directory.CreateTempSubdirectory("portable-engine-");
        try
        {
            string file = Path.Combine(place.FullName, "model.engine"), copy = Path.Combine(place.FullName, "checkpoint");
            Directory.CreateDirectory(copy);
            foreach (string part in Directory.EnumerateFiles(folder))
                File.CreateSymbolicLink(Path.Combine(copy, Path.GetFileName(part)), part);
            var backend = new CpuBackend();
            await EngineBuilder.BuildAsync(
                new ModelOptions { Path = copy, Numerics = NumericMode.Reference }, file, new BackendSelector([backend]), imageEncoders: [new ImageEncoderFactory()]);
            Directory.Delete(copy, recursive: true);

            using var expected = new LoadedVisionModel(folder, backend);
            using var found = new LoadedVisionModel(file, backend);
            using JsonDocument json = Fixtures.Json(Path.Combine(folder, "golden.json"));
            var tensors = new GoldenTensors(Path.Combine(folder, "golden.safetensors"));
            JsonElement golden = VisionCases.Golden(folder, json.RootElement.GetProperty("cases").EnumerateObject().First().Name);
            var wanted = expected.Prompt(VisionCases.Messages(golden, tensors));
            var got = found.Prompt(VisionCases.Messages(golden, tensors));
            Assert.That(got.Text, Is.EqualTo(wanted.Text));
            Assert.That(got.Prompt.Tokens, Is.EqualTo(wanted.Prompt.Tokens));
            AssertBits(Features(found, got.Prompt), Features(expected, wanted.Prompt));
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    private static float[] Features(LoadedVisionModel model, ModelPrompt prompt) => [.. model.Encode(prompt)!.Features.SelectMany(model.Download)];

    private static void AssertBits(float[] found, float[] expected) => Assert.That(
        MemoryMarshal.Cast<float, int>(found).ToArray(), Is.EqualTo(MemoryMarshal.Cast<float, int>(expected).ToArray()));
}
