using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Tests.Engine;

namespace Portable.Tests.Models;

/// <summary>An output matrix of 4 or 6 bits: rounded to nearest, apart from the embedding, and kept by engine files.</summary>
[TestFixture]
public sealed class RoundedHeadTests
{
    private string _folder = null!;

    private string Output => Path.Combine(_folder, "model.engine");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("portable-head-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void AWeightIsOffByNoMoreThanHalfAStep([Values(4, 6)] int bits, [Values(32, 80)] int columns)
    {
        const int Rows = 9;
        var random = new Random(1);
        using WeightMatrix matrix = WeightMatrix.Allocate("head", Rows, columns, new(WeightEncoding.Float32));
        float[] expected = new float[columns], found = new float[columns];
        for (int row = 0; row < Rows; row++)
        {
            foreach (ref float value in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(matrix.Codes(row)))
                value = row == 0 ? 0 : (random.NextSingle() - 0.5f) * row;
        }

        using WeightMatrix rounded = RoundedHead.Round(matrix, RoundedHead.Format(bits));
        for (int row = 0; row < Rows; row++)
        {
            matrix.DequantizeRow(row, expected);
            rounded.DequantizeRow(row, found);
            for (int k = 0; k < columns; k++)
            {
                // The scale and the minimum are float16. Of 6 bits the side opposite the extreme ends one step early.
                float scale = Math.Abs(rounded.Scales(row)[k / 32]), step = bits == 6 ? scale : scale / 2;
                Assert.That(found[k], Is.EqualTo(expected[k]).Within((step * 1.001) + (Math.Abs(expected[k]) * 0.001)), $"row {row}, column {k}");
            }
        }
    }

    [Test]
    public async Task LogitsMoveLittleAndLessWithMoreBits()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        double six = await Distance(path, 6), four = await Distance(path, 4);
        Assert.That(six, Is.InRange(1e-4, 0.05));
        Assert.That(four, Is.InRange(six, 0.2));
    }

    [Test]
    public async Task AnEngineFileKeepsItsHeadAndRefusesAnother([Values(4, 6)] int bits)
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        await EngineBuilder.BuildAsync(Loading.Options(path, BackendSelector.Auto, o => o.HeadBits = bits), Output, new BackendSelector([new CpuBackend()]));
        using PortableModel expected = await Loading.LoadAsync(path, configure: o => o.HeadBits = bits);
        using PortableModel found = await Loading.LoadAsync(Output), asked = await Loading.LoadAsync(Output, configure: o => o.HeadBits = bits);
        ModelPrompt prompt = Loading.Prompt(expected, "hello there");
        Assert.That(await Loading.TokensAsync(found, prompt), Is.EqualTo(await Loading.TokensAsync(expected, prompt)));
        Assert.That(await Loading.TokensAsync(asked, prompt), Is.EqualTo(await Loading.TokensAsync(expected, prompt)));
        Assert.That(found.Plan.WeightBytes, Is.EqualTo(expected.Plan.WeightBytes));

        InvalidInputException error = (await Assert.ThrowsAsync<InvalidInputException>(() => Loading.LoadAsync(Output, configure: o => o.HeadBits = 10 - bits)))!;
        Assert.That(error.Message, Does.Contain($"--head-bits {10 - bits}").And.Not.Contain($"--head-bits {bits}"));
    }

    [Test]
    public async Task OnlyFourAndSixBitsAreOffered()
    {
        using var tiny = new TinyModel();
        string path = tiny.Write();
        InvalidInputException error = (await Assert.ThrowsAsync<InvalidInputException>(() => Loading.LoadAsync(path, configure: o => o.HeadBits = 5)))!;
        Assert.That(error.Message, Does.Contain("HeadBits").And.Contain("4 or 6"));
    }

    // The root mean square of the logits' difference over theirs.
    private static Task<double> Distance(string path, int bits) => Task.Run(() =>
    {
        int[] prompt = [.. Enumerable.Range(0, 21).Select(i => 3 + (i * 7 % 80))];
        using var exact = new LoadedDecoder(path, TestDevice.CpuReference, context: 256);
        using var rounded = new LoadedDecoder(path, TestDevice.CpuReference, context: 256, headBits: bits);
        float[] expected = exact.Logits(prompt), found = rounded.Logits(prompt);
        double error = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            error += Math.Pow(found[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(error / norm);
    });
}
