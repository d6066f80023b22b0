using System.Security.Cryptography;
using System.Text.Json;
using Portable.Vision.Images;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

[Category("Golden")]
public sealed class PillowResamplerGoldenTests
{
    private const string Kind = "images/resample.json";

    private static readonly Lazy<GoldenTensors> Tensors = new(() => new GoldenTensors(Fixtures.Find("images", "resample.safetensors")!));

    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("images", "resample.json") is not { } path)
        {
            yield return Fixtures.Absent(Kind);
            yield break;
        }

        foreach (JsonElement golden in Fixtures.Json(path).RootElement.GetProperty("cases").EnumerateArray())
            yield return new TestCaseData((JsonElement?)golden).SetName($"Resize {golden.GetProperty("name").GetString()}");
    }

    [TestCaseSource(nameof(Cases))]
    public void Resizing_gives_the_bytes_that_Pillow_gives_with_every_kernel(JsonElement? golden)
    {
        JsonElement wanted = golden!.Value;
        string input = wanted.GetProperty("input").GetString()!;
        long[] shape = Tensors.Value.Shape(input);
        var source = new PixelBuffer(
            Tensors.Value.Bytes(input).ToArray(), (int)shape[1], (int)shape[0], shape.Length == 3 ? (int)shape[2] : 1);
        JsonElement size = wanted.GetProperty("out_hw");
        JsonElement box = wanted.GetProperty("box");
        JsonElement gap = wanted.GetProperty("reducing_gap");
        foreach (ResampleKernel kernel in Enum.GetValues<ResampleKernel>())
        {
            PixelBuffer result = PillowResampler.Resize(
                source,
                size[1].GetInt32(),
                size[0].GetInt32(),
                (ResampleFilter)wanted.GetProperty("pil_filter").GetInt32(),
                box.ValueKind == JsonValueKind.Null
                    ? null
                    : new ResampleBox(box[0].GetDouble(), box[1].GetDouble(), box[2].GetDouble(), box[3].GetDouble()),
                gap.ValueKind == JsonValueKind.Null ? null : gap.GetDouble(),
                kernel);

            if (wanted.TryGetProperty("tensor", out JsonElement whole))
                Assert.That(result.Data.AsSpan().SequenceEqual(Tensors.Value.Bytes(whole.GetString()!)), $"bytes, kernel {kernel}");
            Assert.That(
                Convert.ToHexStringLower(SHA256.HashData(result.Data)), Is.EqualTo(wanted.GetProperty("sha256").GetString()), $"kernel {kernel}");
        }
    }
}
