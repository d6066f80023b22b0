using Portable.Backends.Cpu;
using Portable.Checkpoints;
using Portable.Decoding.Architecture;
using Portable.Decoding.Model;

namespace Portable.Tests.Models;

/// <summary>What is planned for a workspace is what it takes.</summary>
[TestFixture]
[Category("Golden")]
public sealed class DecoderWorkspaceTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("checkpoints") is not { } folder)
        {
            yield return Fixtures.Absent("checkpoints");
            yield break;
        }

        foreach (string checkpoint in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (File.Exists(Path.Combine(checkpoint, "golden.json")))
                yield return new TestCaseData(checkpoint).SetName($"{Path.GetFileName(checkpoint)} workspace");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void AWorkspaceFitsIntoWhatIsPlannedForItAndNotIntoOneByteLess(string folder)
    {
        const int Tokens = 256, Rows = 3, PageTable = 64;
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        DecoderConfig config;
        try
        {
            config = DecoderDescription.Read(checkpoint).Config;
        }
        catch (UnsupportedException unsupported)
        {
            Assert.Ignore($"not supported yet: {unsupported.Message}");
            return;
        }

        var cpu = new CpuBackend();
        using Device measure = cpu.Open(cpu.Probe().Devices[0], new DeviceOptions { Numerics = NumericMode.Reference });
        long planned = DecoderWorkspace.Bytes(measure, config, Tokens, 1, Rows, PageTable);
        Assert.DoesNotThrow(() => Make(planned));
        Assert.Throws<DeviceOutOfMemoryException>(() => Make(planned - 1));

        void Make(long budget)
        {
            var backend = new CpuBackend();
            using Device device = backend.Open(backend.Probe().Devices[0], new DeviceOptions { Numerics = NumericMode.Reference, MemoryBudgetBytes = budget });
            new DecoderWorkspace(device, config, Tokens, 1, Rows, PageTable).Dispose();
        }
    }
}
