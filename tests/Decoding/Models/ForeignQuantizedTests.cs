using Portable.Decoding;
using Portable.Testing.Foreign;

namespace Portable.Tests.Models;

/// <summary>
/// Quantised models on the foreign device, which takes float16 and 4-bit weights: those that fit run near the float32
/// goldens; those that need another format are refused before a weight is read, by operator, tensor and format.
/// </summary>
[TestFixture]
[Category("Golden")]
public sealed class ForeignQuantizedTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        bool isAny = false;
        foreach (QuantizedCase model in QuantizedCase.Checkpoints().Concat(QuantizedCase.GgufModels()).Where(m => m.MustRun))
        {
            isAny = true;
            yield return new TestCaseData(model).SetName($"foreign {model.Name}");
        }

        if (!isAny)
            yield return Fixtures.Absent("quant/checkpoints and gguf/models");
    }

    [TestCaseSource(nameof(Cases))]
    public void AModelRunsOrIsRefusedByOperatorAndFormatBeforeLoading(object golden16)
    {
        var model = (QuantizedCase)golden16;
        var backend = new ForeignBackend();
        using ModelDescription description = ModelDescription.Open(new ModelOptions { Path = model.Model }, []);
        UnmetRequirement[] unmet = [.. backend.GetCapabilities(backend.Probe().Devices[0], new DeviceOptions()).Check(description.Requirements)];
        if (unmet.Length > 0)
        {
            UnsupportedException refused = Assert.Throws<UnsupportedException>(
                () => new BackendSelector([backend]).Select("foreign", new DeviceOptions(), description.Requirements))!;
            Assert.That(refused.Message, Does.Contain(unmet[0].Operator.ToString()).And.Contain(unmet[0].Reason));
            Assert.That(backend.Faults.Calls(ForeignCall.Open), Is.Zero);
            Assert.That(description.Requirements.Weights.Any(w => w.HasGroupIndex || (!w.Format.IsPlain && w.Format.Encoding != WeightEncoding.UInt4)), Is.True);
            TestContext.Out.WriteLine(refused.Message);
            return;
        }

        using var decoder = new LoadedDecoder(model.Model, TestDevice.Foreign, context: 256);
        var tensors = new GoldenTensors(model.Golden);
        for (int i = 0; tensors.Contains($"prompt{i}.ids"); i++)
        {
            float[] expected = tensors.Floats($"prompt{i}.logits"), found = decoder.Logits(tensors.Ints($"prompt{i}.ids"));
            double std = Logits.Rms(expected), max = Logits.MaxError(found, expected) / std, rms = Logits.RmsError(found, expected) / std;
            TestContext.Out.WriteLine($"prompt {i}: max {max:F4}, rms {rms:F5} of the logits' rms");
            Assert.That(max, Is.LessThanOrEqualTo(model.IsMoe ? Float16Bounds.AmplifyingMax : Float16Bounds.Max));
            Assert.That(rms, Is.LessThanOrEqualTo(model.IsMoe ? Float16Bounds.AmplifyingRms : Float16Bounds.Rms));
        }
    }
}
