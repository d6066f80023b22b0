using Portable.Backends.Cpu;
using Portable.Decoding;
using Portable.Testing.Foreign;

namespace Portable.Tests.Engine;

/// <summary>What does not fit is refused with both numbers before work begins, and what is planned is what is then taken.</summary>
[TestFixture]
public sealed class LimitTests
{
    private TinyModel _tiny = null!;

    [OneTimeSetUp]
    public void Create()
    {
        _tiny = new TinyModel(seed: 11, context: 512);
        _tiny.Write();
    }

    [OneTimeTearDown]
    public void Delete() => _tiny.Dispose();

    [Test]
    public async Task A_prompt_longer_than_the_context_is_refused_with_both_counts_before_prefill()
    {
        var backend = new ForeignBackend();
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder, backend, o => o.ContextTokens = 32);
        long before = backend.Faults.Calls(ForeignCall.Enqueue);
        var error = Assert.Catch<PromptTooLongException>(() => model.Generate(new ModelPrompt(new int[100])));
        Assert.That((error!.PromptTokens, error.LimitTokens), Is.EqualTo((100, 31)));
        Assert.That(error.Message, Does.Contain("100").And.Contain("31"));
        Assert.That(backend.Faults.Calls(ForeignCall.Enqueue), Is.EqualTo(before));
        Assert.Throws<PromptTooLongException>(() => model.Generate(new ModelPrompt(new int[32])));
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt(new int[31]), 5), Has.Length.EqualTo(2), "one token from the prompt, one more that fills the context");
    }

    [Test]
    public async Task A_context_beyond_what_the_model_was_made_for_is_refused_with_both_numbers()
    {
        var error = await Assert.CatchAsync<InvalidInputException>(() => Loading.LoadAsync(_tiny.Folder, configure: o => o.ContextTokens = 513));
        Assert.That(error!.Message, Does.Contain("513").And.Contain("512"));
    }

    [Test]
    public async Task A_full_context_ends_the_output_and_so_does_the_limit_asked_for()
    {
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder, configure: o => o.ContextTokens = 24);
        Assert.That(await EndAsync(null), Is.EqualTo((GenerationEnd.ContextFull, 15)));
        Assert.That(await EndAsync(4), Is.EqualTo((GenerationEnd.MaxTokens, 4)));
        Assert.Throws<InvalidInputException>(() => model.Generate(new ModelPrompt([1]), new GenerationOptions { MaxTokens = 0 }));
        Assert.Throws<InvalidInputException>(() => model.Generate(new ModelPrompt([])));
        var unknown = Assert.Catch<InvalidInputException>(() => model.Generate(new ModelPrompt([1, 272])));
        Assert.That(unknown!.Message, Does.Contain("272"));

        async Task<(GenerationEnd, int)> EndAsync(int? limit)
        {
            Generation generation = model.Generate(new ModelPrompt(new int[10]), new GenerationOptions { MaxTokens = limit, IgnoreEndTokens = true });
            await foreach (GeneratedToken _ in generation)
            {
            }

            return (generation.End, generation.OutputTokens);
        }
    }

    [Test]
    public async Task A_budget_that_is_too_small_is_refused_with_both_numbers_before_a_weight_is_read()
    {
        var backend = new ForeignBackend();
        var error = await Assert.CatchAsync<DeviceOutOfMemoryException>(() => Loading.LoadAsync(_tiny.Folder, backend, o => o.MemoryBudgetBytes = 300_000));
        Assert.That(error!.NeededBytes, Is.GreaterThan(300_000));
        Assert.That(error.AvailableBytes, Is.EqualTo(300_000));
        Assert.That(backend.Faults.Calls(ForeignCall.LoadWeight) + backend.Faults.Calls(ForeignCall.Allocate), Is.Zero);
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public async Task The_default_context_shrinks_to_the_budget_and_an_explicit_one_is_kept_or_refused()
    {
        MemoryPlan whole = Plan(new CpuBackend());
        Assert.That(whole.ContextTokens, Is.EqualTo(512), "the model's own context");
        long budget = whole.TotalBytes - (whole.KvBytes / 3);
        MemoryPlan shrunk = Plan(new CpuBackend(), o => o.MemoryBudgetBytes = budget);
        Assert.That(shrunk.ContextTokens, Is.InRange(256, 352));
        Assert.That(shrunk.Fits);
        using PortableModel model = await Loading.LoadAsync(_tiny.Folder, configure: o => o.MemoryBudgetBytes = budget);
        Assert.That(model.ContextTokens, Is.EqualTo(shrunk.ContextTokens));
        Assert.That(model.Device.ReservedBytes, Is.LessThanOrEqualTo(budget));
        await Assert.ThrowsAsync<DeviceOutOfMemoryException>(() => Loading.LoadAsync(_tiny.Folder, configure: o =>
        {
            o.MemoryBudgetBytes = budget;
            o.ContextTokens = 512;
        }));
    }

    [Test]
    public async Task A_model_loads_into_a_budget_of_exactly_its_plan([Values("llama", "qwen2", "qwen3")] string family, [Values] bool onForeign)
    {
        using var tiny = new TinyModel(seed: 4, modelType: family);
        tiny.Write();
        IBackend backend = onForeign ? new ForeignBackend() : new CpuBackend();
        MemoryPlan plan = PortableModel.PlanMemory(Loading.Options(tiny.Folder, backend.Id), new BackendSelector([backend]));
        using PortableModel model = await Loading.LoadAsync(tiny.Folder, backend, o => o.MemoryBudgetBytes = plan.TotalBytes);
        Assert.That(await Loading.TokensAsync(model, new ModelPrompt([40]), 2), Has.Length.EqualTo(2));
    }

    [Test]
    public async Task The_plan_equals_what_is_reserved_within_one_percent(
        [Values("llama", "qwen2", "qwen3")] string family, [Values] bool onForeign, [Values] NumericMode numerics)
    {
        using var tiny = new TinyModel(seed: 4, modelType: family);
        IBackend backend = onForeign ? new ForeignBackend() : new CpuBackend();
        using PortableModel model = await Loading.LoadAsync(tiny, backend, o => o.Numerics = numerics);
        foreach ((MemoryKind kind, long planned) in ((MemoryKind, long)[])
            [(MemoryKind.Weights, model.Plan.WeightBytes), (MemoryKind.KvCache, model.Plan.KvBytes), (MemoryKind.Workspace, model.Plan.WorkspaceBytes)])
        {
            long reserved = model.Device.ReservedBytesFor(kind);
            TestContext.Out.WriteLine($"{kind}: planned {planned}, reserved {reserved}");
            Assert.That(planned, Is.EqualTo(reserved).Within(1).Percent, kind.ToString());
        }
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(int.MaxValue)]
    public async Task A_prefill_step_out_of_range_is_refused_by_name(int tokens)
    {
        var error = await Assert.CatchAsync<InvalidInputException>(() => Loading.LoadAsync(_tiny.Folder, configure: o => o.PrefillChunkTokens = tokens));
        Assert.That(error!.Message, Does.Contain("PrefillChunkTokens"));
    }

    [Test]
    public async Task A_context_out_of_range_is_refused_by_name_or_by_memory()
    {
        var error = await Assert.CatchAsync<InvalidInputException>(() => Loading.LoadAsync(_tiny.Folder, configure: o => o.ContextTokens = 1));
        Assert.That(error!.Message, Does.Contain("ContextTokens"));
        using var boundless = new TinyModel(context: 1 << 28);
        boundless.Write();
        await Assert.ThrowsAsync<DeviceOutOfMemoryException>(() => Loading.LoadAsync(boundless.Folder, configure: o => o.ContextTokens = 1 << 28));
    }

    private MemoryPlan Plan(IBackend backend, Action<ModelOptions>? configure = null) =>
        PortableModel.PlanMemory(Loading.Options(_tiny.Folder, backend.Id, configure), new BackendSelector([backend]));
}
