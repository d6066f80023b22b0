using Microsoft.Extensions.Logging;
using Portable.Testing.Foreign;

namespace Portable.Tests;

[TestFixture]
public sealed class BackendSelectorTests
{
    private static readonly ModelRequirements NeedsInt8 = new()
    {
        Operators = new HashSet<Operator> { Operator.Linear },
        Weights = [new(Operator.Linear, "blk.0.ffn_down.weight", new WeightFormat(WeightEncoding.Int8, 32), 64, 64)],
        HeadSizes = new HashSet<int> { 64 },
    };

    [Test]
    public void AModelThatADeviceCannotRunIsRefusedByOperatorAndReasonBeforeAnythingIsLoaded()
    {
        var backend = new ForeignBackend();
        UnsupportedException refused = Assert.Throws<UnsupportedException>(
            () => new BackendSelector([backend]).Select("foreign", new DeviceOptions(), NeedsInt8))!;
        Assert.That(refused.Message, Does.Contain("Linear").And.Contain("blk.0.ffn_down.weight").And.Contain("s8 g32"));
        Assert.That(backend.Faults.Calls(ForeignCall.Open), Is.Zero);
    }

    [Test]
    public void ANamedBackendNeverBecomesAnother()
    {
        var selector = new BackendSelector([new ForeignBackend(), new Missing()]);
        UnsupportedException refused = Assert.Throws<UnsupportedException>(() => selector.Select("missing", new DeviceOptions()))!;
        Assert.That(refused.Message, Does.Contain("libmissing.so was not found"));
        refused = Assert.Throws<UnsupportedException>(() => selector.Select("other", new DeviceOptions()))!;
        Assert.That(refused.Message, Does.Contain("missing").And.Contain("foreign:0"));
    }

    [Test]
    public void AutoTakesTheNextUsableDeviceAndLogsWhyOthersWerePassedOver()
    {
        var log = new Recorder();
        var selector = new BackendSelector([new ForeignBackend(), new Missing()], log);
        Assert.That(selector.Select("auto", new DeviceOptions()).Device.Id, Is.EqualTo("foreign:0"));
        Assert.That(log.Lines, Has.Some.Contains("Passed over missing: libmissing.so was not found"));
        Assert.That(log.Lines, Has.Some.Contains("Selected device foreign:0"));
    }

    [Test]
    public void ABackendIsProbedOnce()
    {
        var missing = new Missing();
        var selector = new BackendSelector([missing, new ForeignBackend()]);
        selector.Select("auto", new DeviceOptions());
        selector.Select("auto", new DeviceOptions());
        Assert.That(missing.Probes, Is.EqualTo(1));
    }

    /// <summary>A vendor's backend on a machine without the vendor's library.</summary>
    private sealed class Missing : IBackend
    {
        public int Probes { get; private set; }

        public string Id => "missing";

        public int Preference => 1000;

        public BackendProbe Probe()
        {
            Probes++;
            return new([], "libmissing.so was not found");
        }

        public DeviceCapabilities GetCapabilities(DeviceInfo device, DeviceOptions options) => throw new InvalidOperationException();

        public Device Open(DeviceInfo device, DeviceOptions options) => throw new InvalidOperationException();
    }

    private sealed class Recorder : ILogger<BackendSelector>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add(formatter(state, exception));
    }
}
