using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Testing.Foreign;

namespace Portable.Tests.Engine;

/// <summary>Whatever ends a model or its loading, early or late, all of its memory goes back and every error is a typed one.</summary>
[TestFixture]
public sealed class LifetimeTests
{
    private TinyModel _tiny = null!;

    [OneTimeSetUp]
    public void Create()
    {
        _tiny = new TinyModel(seed: 7, hidden: 32, layers: 1);
        _tiny.Write();
    }

    [OneTimeTearDown]
    public void Delete() => _tiny.Dispose();

    [Test]
    public async Task Disposing_while_generating_ends_the_call_and_gives_the_memory_back([Values] bool onForeign)
    {
        var backend = new ForeignBackend();
        PortableModel model = await Loading.LoadAsync(_tiny.Folder, onForeign ? backend : new CpuBackend());
        Task? waiting = null;
        int seen = 0;
        var ended = await Assert.CatchAsync<ObjectDisposedException>(async () =>
        {
            await foreach (GeneratedToken _ in model.Generate(Loading.Prompt(model, "hello"), new GenerationOptions { IgnoreEndTokens = true }))
            {
                waiting ??= Loading.TokensAsync(model, Loading.Prompt(model, "waiting"));
                if (++seen == 3)
                    model.Dispose();
            }
        });
        Assert.That(ended!.ObjectName, Is.EqualTo("tiny"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting!);
        Assert.That(model.Device.ReservedBytes, Is.Zero);
        Assert.That(backend.Leaks, Is.Empty);
        Assert.DoesNotThrow(model.Dispose);
        Assert.Throws<ObjectDisposedException>(() => model.Generate(new ModelPrompt([1])));
    }

    [Test]
    public async Task Leaving_an_enumeration_after_the_model_was_disposed_of_is_no_error()
    {
        PortableModel model = await Loading.LoadAsync(_tiny.Folder);
        await foreach (GeneratedToken _ in model.Generate(Loading.Prompt(model, "hello"), new GenerationOptions { IgnoreEndTokens = true }))
        {
            model.Dispose();
            break;
        }

        Assert.That(model.Device.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task Two_models_live_side_by_side_and_one_outlives_the_other()
    {
        using var other = new TinyModel(seed: 8, modelType: "qwen3");
        using PortableModel a = await Loading.LoadAsync(_tiny.Folder);
        PortableModel b = await Loading.LoadAsync(other);
        int[] expectedA = await Loading.TokensAsync(a, Loading.Prompt(a, "hello")), expectedB = await Loading.TokensAsync(b, Loading.Prompt(b, "hello"));
        Assert.That(expectedA, Is.Not.EqualTo(expectedB));
        int[][] together = await Task.WhenAll(
            Loading.TokensAsync(a, Loading.Prompt(a, "hello")), Loading.TokensAsync(b, Loading.Prompt(b, "hello")));
        Assert.That(together, Is.EqualTo(new[] { expectedA, expectedB }));
        b.Dispose();
        Assert.That(await Loading.TokensAsync(a, Loading.Prompt(a, "hello")), Is.EqualTo(expectedA));
    }

    [Test]
    public async Task A_load_cancelled_midway_ends_with_the_callers_token_and_frees_everything()
    {
        var backend = new ForeignBackend();
        using var cancellation = new CancellationTokenSource();
        var cancelled = await Assert.CatchAsync<OperationCanceledException>(() => Loading.LoadAsync(
            _tiny.Folder, backend, cancellation: cancellation.Token, progress: new Synchronous(_ => cancellation.Cancel())));
        Assert.That(cancelled!.CancellationToken, Is.EqualTo(cancellation.Token));
        Assert.That(backend.Faults.Calls(ForeignCall.LoadWeight), Is.Positive, "something had been loaded");
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public async Task Loading_reports_progress_that_rises_to_the_whole()
    {
        var fractions = new List<double>();
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder, progress: new Synchronous(p => fractions.Add(p.Fraction)));
        Assert.That(fractions, Is.Ordered);
        Assert.That(fractions[0], Is.GreaterThan(0).And.LessThan(1));
        Assert.That(fractions[^1], Is.EqualTo(1));
    }

    [Test]
    public async Task A_tensor_that_is_broken_midway_through_loading_is_named_and_everything_is_freed()
    {
        using var tiny = new TinyModel(seed: 7, hidden: 32, layers: 2);
        tiny.Tensors["model.layers.1.post_attention_layernorm.weight"] = ([31], new float[31]);
        var backend = new ForeignBackend();
        var error = await Assert.CatchAsync<InvalidModelException>(() => Loading.LoadAsync(tiny, backend));
        Assert.That(error!.Message, Does.Contain("model.layers.1.post_attention_layernorm.weight").And.Contain("32").And.Contain("31"));
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public async Task A_fault_at_any_call_of_loading_and_generating_is_a_typed_error_without_leaks(
        [Values(FaultKind.Failure, FaultKind.DeviceLost, FaultKind.OutOfMemory)] FaultKind kind)
    {
        var healthy = new ForeignBackend();
        var counts = new Dictionary<ForeignCall, long>();
        using (PortableModel model = await Loading.LoadAsync(_tiny.Folder, healthy))
        {
            await Loading.TokensAsync(model, new ModelPrompt([.. Enumerable.Range(40, 20)]), 3);
            foreach (ForeignCall call in Enum.GetValues<ForeignCall>())
                counts[call] = healthy.Faults.Calls(call);
        }

        Assert.That(counts.Values, Is.All.Positive, "every kind of call is made");
        foreach ((ForeignCall call, long calls) in counts)
        {
            for (long number = 1; number <= calls; number += calls > 60 ? 7 : 1)
            {
                var backend = new ForeignBackend(new FaultPlan().Fail(call, number, kind));
                PortableModel? model = null;
                try
                {
                    model = await Loading.LoadAsync(_tiny.Folder, backend);
                    await Loading.TokensAsync(model, new ModelPrompt([.. Enumerable.Range(40, 20)]), 3);
                    Assert.Fail($"{call} {number} {kind} was not reported");
                }
                catch (PortableException error)
                {
                    Assert.That(error, kind == FaultKind.OutOfMemory ? Is.TypeOf<DeviceOutOfMemoryException>() : Is.TypeOf<DeviceException>(), $"{call} {number}");
                    Assert.That((error as DeviceException)?.IsDeviceLost ?? false, Is.EqualTo(kind == FaultKind.DeviceLost), $"{call} {number}");
                }

                if (model is not null && kind == FaultKind.DeviceLost)
                {
                    var later = await Assert.CatchAsync<DeviceException>(() => Loading.TokensAsync(model, new ModelPrompt([40]), 1));
                    Assert.That(later!.IsDeviceLost, "a lost device stays lost");
                }
                else if (model is not null)
                {
                    Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 2), Has.Length.EqualTo(2), $"{call} {number}: the model lives on");
                }

                Assert.DoesNotThrow(() => model?.Dispose(), $"{call} {number}");
                Assert.That(backend.Leaks, Is.Empty, $"{call} {number} {kind}");
                Assert.That(model?.Device.ReservedBytes ?? 0, Is.Zero);
            }
        }
    }

    [Test]
    public async Task A_device_that_fails_while_a_model_is_disposed_of_gives_its_memory_back_all_the_same(
        [Values(FaultKind.Failure, FaultKind.DeviceLost, FaultKind.OutOfMemory)] FaultKind kind)
    {
        var backend = new ForeignBackend();
        PortableModel model = await Loading.LoadAsync(_tiny.Folder, backend);
        backend.Faults.FailNext(ForeignCall.Synchronize, kind);
        Assert.DoesNotThrow(model.Dispose);
        Assert.That(backend.Leaks, Is.Empty);
        Assert.That(model.Device.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task A_model_of_logits_that_are_no_numbers_still_ends_its_calls()
    {
        using var tiny = new TinyModel(seed: 7, hidden: 32, layers: 1);
        Array.Fill(tiny.Tensors["lm_head.weight"].Values, float.NaN);
        using PortableModel model = await Loading.LoadAsync(tiny);
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 4), Has.Length.EqualTo(4));
        var sampled = new SamplingOptions { Temperature = 1, TopP = 0.9f, TopK = 5, Seed = 1, TopLogProbabilities = 3 };
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40, 41]), 4, sampled), Has.Length.EqualTo(4));
    }

    private sealed class Synchronous(Action<LoadProgress> report) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => report(value);
    }
}
