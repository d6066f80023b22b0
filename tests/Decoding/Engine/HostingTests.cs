using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Portable.Decoding;
using Portable.Testing.Foreign;

namespace Portable.Tests.Engine;

/// <summary>Models and chat clients as services of an application.</summary>
[TestFixture]
[NonParallelizable]
public sealed class HostingTests
{
    private TinyModel _hello = null!, _bye = null!;

    [OneTimeSetUp]
    public void Create()
    {
        _hello = TinyModel.Saying("Helo");
        _bye = TinyModel.Saying("Bye");
        _hello.Write();
        _bye.Write();
    }

    [OneTimeTearDown]
    public void Delete()
    {
        _hello.Dispose();
        _bye.Dispose();
    }

    [SetUp]
    [TearDown]
    public void ClearVariable() => Environment.SetEnvironmentVariable(PortableOptions.BackendVariable, null);

    private static IHost Build(Action<IServiceCollection> configure, ConcurrentQueue<string>? log = null)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        if (log is not null)
            builder.Logging.AddProvider(new Recorder(log));
        configure(builder.Services);
        return builder.Build();
    }

    [Test]
    public async Task A_model_is_described_by_configuration_as_well_as_in_code()
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Portable:Models:hello:Path"] = _hello.Folder,
            ["Portable:Models:hello:Numerics"] = "Reference",
            ["Portable:Models:hello:ContextTokens"] = "64",
        }).Build();
        using IHost host = Build(services => services.AddPortable(configuration.GetSection("Portable")).AddCpuBackend()
            .AddModel("hello", configuration.GetSection("Portable:Models:hello")).AddChatClient("hello"));
        await host.StartAsync();
        PortableModel model = await host.Services.GetRequiredKeyedService<ModelHost>("hello").GetAsync();
        Assert.That((model.Numerics, model.ContextTokens), Is.EqualTo((NumericMode.Reference, 64)));
        Assert.That((await host.Services.GetRequiredService<IChatClient>().GetResponseAsync("x")).Text, Is.EqualTo("Helo"));
    }

    [Test]
    public void A_chat_client_of_a_model_that_nobody_added_says_so()
    {
        using IHost host = Build(services => services.AddPortable().AddCpuBackend().AddModel("hello", o => o.Path = _hello.Folder).AddChatClient("hallo"));
        var error = Assert.Catch<UnsupportedException>(() => host.Services.GetRequiredService<IChatClient>());
        Assert.That(error!.Message, Does.Contain("'hallo'").And.Contain("AddModel"));
    }

    [Test]
    public async Task Several_models_are_keyed_by_name_and_the_first_is_the_applications_own()
    {
        using IHost host = Build(services =>
        {
            IPortableBuilder portable = services.AddPortable().AddCpuBackend()
                .AddModel("hello", o => o.Path = _hello.Folder).AddModel("bye", o => o.Path = _bye.Folder);
            portable.AddChatClient("hello");
            portable.AddChatClient("bye");
        });
        await host.StartAsync();
        Assert.That((await host.Services.GetRequiredKeyedService<IChatClient>("hello").GetResponseAsync("x")).Text, Is.EqualTo("Helo"));
        ChatResponse bye = await host.Services.GetRequiredKeyedService<IChatClient>("bye").GetResponseAsync("x");
        Assert.That((bye.Text, bye.ModelId), Is.EqualTo(("Bye", "bye")));
        Assert.That((await host.Services.GetRequiredService<IChatClient>().GetResponseAsync("x")).Text, Is.EqualTo("Helo"));
        PortableModel model = await host.Services.GetRequiredKeyedService<ModelHost>("hello").GetAsync();
        Assert.That(await host.Services.GetRequiredKeyedService<ModelHost>("hello").GetAsync(), Is.SameAs(model), "loaded once");
        await host.StopAsync();
        host.Dispose();
        Assert.That(model.Device.ReservedBytes, Is.Zero, "disposed of with the application");
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await Loading.TokensAsync(model, new ModelPrompt([1])));
    }

    [Test]
    public async Task A_chat_client_can_be_decorated()
    {
        int calls = 0;
        using IHost host = Build(services => services.AddPortable().AddCpuBackend().AddModel("hello", o => o.Path = _hello.Folder).AddChatClient("hello")
            .Use((messages, options, next, cancellation) =>
            {
                calls++;
                return next(messages, options, cancellation);
            }));
        Assert.That((await host.Services.GetRequiredService<IChatClient>().GetResponseAsync("x")).Text, Is.EqualTo("Helo"));
        Assert.That(calls, Is.EqualTo(1));
    }

    [Test]
    public async Task Nothing_is_loaded_before_the_host_starts_and_without_LoadAtStart_before_the_first_call()
    {
        var backend = new ForeignBackend();
        using IHost host = Build(services =>
        {
            services.AddSingleton<IBackend>(backend);
            services.AddPortable().AddModel("late", o =>
            {
                o.Path = _hello.Folder;
                o.LoadAtStart = false;
            }).AddChatClient("late");
        });
        var progress = new ConcurrentQueue<LoadProgress>();
        host.Services.GetRequiredKeyedService<ModelHost>("late").Progress += progress.Enqueue;
        await host.StartAsync();
        Assert.That(backend.Faults.Calls(ForeignCall.Open), Is.Zero);
        await host.Services.GetRequiredService<IChatClient>().GetResponseAsync("x");
        Assert.That(backend.Faults.Calls(ForeignCall.Open), Is.EqualTo(1));
        Assert.That(progress, Is.Not.Empty);
    }

    [Test]
    public async Task LoadAtStart_finds_a_broken_model_when_the_host_starts()
    {
        using IHost host = Build(services => services.AddPortable().AddCpuBackend().AddModel("broken", o => o.Path = "/nothing/here"));
        var error = await Assert.CatchAsync<PortableException>(() => host.StartAsync());
        Assert.That(error!.Message, Does.Contain("/nothing/here"));
    }

    [Test]
    public async Task A_failed_load_is_reported_to_everybody_who_waits_and_tried_again_by_the_next_call()
    {
        var backend = new ForeignBackend();
        backend.Faults.FailNext(ForeignCall.CreateKvCache);
        using IHost host = Build(services =>
        {
            services.AddSingleton<IBackend>(backend);
            services.AddPortable().AddModel("m", o => o.Path = _hello.Folder);
        });
        ModelHost model = host.Services.GetRequiredKeyedService<ModelHost>("m");
        Task<PortableModel>[] waiting = [model.GetAsync(), model.GetAsync(), model.GetAsync()];
        foreach (Task<PortableModel> task in waiting)
            await Assert.ThrowsAsync<DeviceException>(() => task);
        Assert.That(backend.Faults.Calls(ForeignCall.CreateKvCache), Is.EqualTo(1), "tried once for all of them");
        Assert.That(await model.GetAsync(), Is.Not.Null);
        Assert.That(backend.Leaks, Is.Empty);
    }

    [Test]
    public async Task Cancelling_one_waiter_does_not_end_the_loading_for_others()
    {
        using IHost host = Build(services => services.AddPortable().AddCpuBackend().AddModel("m", o => o.Path = _hello.Folder));
        ModelHost model = host.Services.GetRequiredKeyedService<ModelHost>("m");
        using var cancellation = new CancellationTokenSource();
        Task<PortableModel> impatient = model.GetAsync(cancellation.Token), patient = model.GetAsync();
        await cancellation.CancelAsync();
        Assert.That(await patient, Is.Not.Null);
        if (!impatient.IsCompletedSuccessfully)
            await Assert.CatchAsync<OperationCanceledException>(() => impatient);
    }

    [Test]
    public async Task A_host_disposed_of_while_it_loads_frees_everything()
    {
        var backend = new ForeignBackend();
        IHost host = Build(services =>
        {
            services.AddSingleton<IBackend>(backend);
            services.AddPortable().AddModel("m", o => o.Path = _hello.Folder);
        });
        ModelHost model = host.Services.GetRequiredKeyedService<ModelHost>("m");
        Task<PortableModel> loading = model.GetAsync();
        host.Dispose();
        Assert.That(loading.IsCompleted);
        Assert.That(backend.Leaks, Is.Empty);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await model.GetAsync());
    }

    [Test]
    public async Task Options_are_bound_from_the_section_and_a_models_own_ones_come_first()
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Portable:Backend"] = "cpu", ["Portable:Numerics"] = "Reference", ["Portable:Threads"] = "1", ["Portable:MemoryBudgetBytes"] = "64000000",
        }).Build();
        using IHost host = Build(services => services.AddPortable(configuration.GetSection(PortableOptions.SectionName)).AddCpuBackend()
            .AddModel("a", o => o.Path = _hello.Folder)
            .AddModel("b", o =>
            {
                o.Path = _bye.Folder;
                o.Numerics = NumericMode.Fast;
                o.MemoryBudgetBytes = 48_000_000;
            }));
        PortableModel a = await host.Services.GetRequiredKeyedService<ModelHost>("a").GetAsync();
        PortableModel b = await host.Services.GetRequiredKeyedService<ModelHost>("b").GetAsync();
        Assert.That((a.Numerics, a.Plan.BudgetBytes, a.DeviceInfo.Id), Is.EqualTo((NumericMode.Reference, 64_000_000L, "cpu:0")));
        Assert.That((b.Numerics, b.Plan.BudgetBytes), Is.EqualTo((NumericMode.Fast, 48_000_000L)));
    }

    [Test]
    public async Task The_environment_variable_overrides_the_configured_backend()
    {
        Environment.SetEnvironmentVariable(PortableOptions.BackendVariable, "foreign");
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Portable:Backend"] = "cpu" }).Build();
        using IHost host = Build(services =>
        {
            services.AddSingleton<IBackend>(new ForeignBackend());
            services.AddPortable(configuration.GetSection("Portable")).AddCpuBackend().AddModel("m", o => o.Path = _hello.Folder);
        });
        Assert.That((await host.Services.GetRequiredKeyedService<ModelHost>("m").GetAsync()).DeviceInfo.Backend, Is.EqualTo("foreign"));
    }

    private static IEnumerable<TestCaseData> InvalidOptions()
    {
        yield return Case("Backend", p => p.Backend = " ", _ => { });
        yield return Case("Threads", p => p.Threads = -1, _ => { });
        yield return Case("MemoryBudgetBytes", p => p.MemoryBudgetBytes = 0, _ => { });
        yield return Case("Path", _ => { }, m => m.Path = "");
        yield return Case("ContextTokens", _ => { }, m => m.ContextTokens = 1);
        yield return Case("PrefillChunkTokens", _ => { }, m => m.PrefillChunkTokens = 0);
        yield return Case("Threads", _ => { }, m => m.Threads = 5000);
        yield return Case("MemoryBudgetBytes", _ => { }, m => m.MemoryBudgetBytes = -1);

        static TestCaseData Case(string name, Action<PortableOptions> portable, Action<ModelOptions> model) =>
            new TestCaseData(name, portable, model);
    }

    [TestCaseSource(nameof(InvalidOptions))]
    public async Task Invalid_options_fail_when_the_host_starts(string name, Action<PortableOptions> portable, Action<ModelOptions> model)
    {
        using IHost host = Build(services => services.AddPortable(portable).AddCpuBackend().AddModel("m", o =>
        {
            o.Path = _hello.Folder;
            o.LoadAtStart = false;
            model(o);
        }));
        var error = await Assert.CatchAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.That(error!.Message, Does.Contain(name));
    }

    [Test]
    public async Task A_named_backend_that_is_not_registered_is_refused_with_those_that_are()
    {
        using IHost host = Build(services =>
        {
            services.AddSingleton<IBackend>(new ForeignBackend());
            services.AddPortable().AddCpuBackend().AddModel("m", o =>
            {
                o.Path = _hello.Folder;
                o.Backend = "npu9";
            });
        });
        var error = await Assert.CatchAsync<UnsupportedException>(() => host.StartAsync());
        Assert.That(error!.Message, Does.Contain("npu9").And.Contain("cpu:0").And.Contain("foreign:0"));
    }

    [Test]
    public async Task Without_a_backend_the_error_says_what_to_call()
    {
        using IHost host = Build(services => services.AddPortable().AddModel("m", o => o.Path = _hello.Folder));
        var error = await Assert.CatchAsync<UnsupportedException>(() => host.StartAsync());
        Assert.That(error!.Message, Does.Contain("AddCpuBackend"));
    }

    [Test]
    public async Task Auto_logs_why_candidates_were_passed_over_and_takes_the_next()
    {
        var log = new ConcurrentQueue<string>();
        using IHost host = Build(
            services =>
            {
                services.AddSingleton<IBackend>(new FakeBackend("accelerator", 100, isUsable: false));
                services.AddSingleton<IBackend>(new FakeBackend("narrow", 50, isUsable: true));
                services.AddPortable().AddCpuBackend().AddModel("m", o => o.Path = _hello.Folder);
            },
            log);
        await host.StartAsync();
        Assert.That((await host.Services.GetRequiredKeyedService<ModelHost>("m").GetAsync()).DeviceInfo.Backend, Is.EqualTo("cpu"));
        string[] lines = [.. log];
        Assert.That(lines, Has.Some.Contain("Passed over accelerator: libaccelerator.so was not found"));
        Assert.That(lines, Has.Some.Contain("Passed over narrow:0").And.Some.Contain("float").IgnoreCase);
        Assert.That(lines, Has.Some.Contain("Selected device cpu:0"));
        Assert.That(lines, Has.Some.Contain("Loaded m (llama) on cpu:0"));

        var named = await Assert.CatchAsync<UnsupportedException>(() => Loading.LoadAsync(_hello.Folder, new FakeBackend("narrow", 50, true)));
        Assert.That(named!.Message, Does.Contain("narrow").And.Contain("Linear"), "a named backend never becomes another");
    }

    /// <summary>A backend without a device, or with one that takes no weights.</summary>
    private sealed class FakeBackend(string id, int preference, bool isUsable) : IBackend
    {
        public string Id => id;

        public int Preference => preference;

        public BackendProbe Probe() => isUsable
            ? new([new DeviceInfo(id, 0, "Fake", 1 << 30, [])], "found")
            : new([], $"lib{id}.so was not found");

        public DeviceCapabilities GetCapabilities(DeviceInfo device, DeviceOptions options) => new()
        {
            ActivationType = ElementType.Float16, Weights = [], Operators = Enum.GetValues<Operator>().ToHashSet(), KvFormats = [KvFormat.Float16], PageSizes = [16],
        };

        public Device Open(DeviceInfo device, DeviceOptions options) => throw new InvalidOperationException("a refused device is never opened");
    }

    private sealed class Recorder(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
