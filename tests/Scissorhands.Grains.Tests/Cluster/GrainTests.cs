using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Grains.Tests.Cluster;

/// <summary>One coordinator's grains over a store in a file.</summary>
public sealed class GrainFixture : IWorkerCommandSink, IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-grains-").FullName;
    private readonly Lock _sync = new();
    private readonly List<(Func<WorkerCommand, bool> Which, TaskCompletionSource<WorkerCommand> Heard)> _awaited = [];
    private InProcessTestCluster _cluster = null!;

    /// <summary>The store of all grains.</summary>
    public RacingStore Store => (RacingStore)_cluster.Silos[0].ServiceProvider.GetRequiredService<IRunStore>();

    public static LivenessOptions Liveness { get; } = new() { BeatInterval = TimeSpan.FromSeconds(0.2), LostAfter = TimeSpan.FromMinutes(1), SettleTime = TimeSpan.FromSeconds(0.3) };

    public IGrainFactory Grains => _cluster.Client;

    public async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton(TimeProvider.System);
            silo.Services.AddSingleton(Liveness);
            silo.Services.AddSingleton(new BuildVersion("build"));
            silo.Services.AddSingleton<IWorkerCommandSink>(this);
            silo.Services.AddRunStore(new StoreOptions { Connection = $"sqlite:{_folder}/store.db" });
            var store = silo.Services.Single(static service => service.ServiceType == typeof(IRunStore));
            silo.Services.AddSingleton<IRunStore>(services => new RacingStore((IRunStore)ActivatorUtilities.CreateInstance(services, store.ImplementationType!)));
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public void Send(WorkerCommand command)
    {
        lock (_sync)
        {
            foreach (var (_, heard) in _awaited.Where(a => a.Which(command)))
            {
                heard.TrySetResult(command);
            }
        }
    }

    /// <summary>Completes with the next command of that kind; to be called before what causes it.</summary>
    public Task<WorkerCommand> NextAsync(Func<WorkerCommand, bool> which)
    {
        var heard = new TaskCompletionSource<WorkerCommand>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_sync)
        {
            _awaited.Add((which, heard));
        }

        return heard.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }
}

public sealed class GrainTests(GrainFixture fixture) : IClassFixture<GrainFixture>
{
    [Fact]
    public async Task Submit_theSameManyTimesAtOnce_isOneRun()
    {
        var run = Run("same");
        var order = Order("same");

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => run.SubmitAsync(order)));

        Assert.All(outcomes, static outcome => Assert.True(outcome.Accepted));
        Assert.Single(outcomes, static outcome => outcome.Created);
        Assert.True(await run.CancelAsync("enough"));
        Assert.False(await run.CancelAsync("enough"));

        // Opened again, and the same once more changes nothing.
        Assert.Equal(new SubmitOutcome(true, false, null), await run.SubmitAsync(order));
        Assert.Equal(new SubmitOutcome(true, false, null), await run.SubmitAsync(order));
        Assert.Equal("queued", (await run.ViewAsync())?.Status);
    }

    [Fact]
    public async Task Submit_folderThatAnotherRunWritesTo_isRefusedWithItsNameAlsoWhenOpenedAgain()
    {
        var (first, second) = (Run("folder-1"), Run("folder-2"));
        await first.SubmitAsync(Order("folder"));
        await first.CancelAsync("enough");
        await second.SubmitAsync(Order("folder") with { Model = "another" });

        var outcome = await first.SubmitAsync(Order("folder"));

        Assert.False(outcome.Accepted);
        Assert.Equal("out folder: run folder-2, which is queued, writes there; name another folder", outcome.Reason);
        var fresh = await Run("folder-3").SubmitAsync(Order("folder") with { Model = "third" });
        Assert.Equal(outcome, fresh);
        Assert.Null(await Run("folder-3").ViewAsync());
        Assert.Equal("cancelled", (await first.ViewAsync())?.Status);
    }

    [Fact]
    public async Task Submit_modelAtWorkInAnotherPool_waitsForItAndSaysSo()
    {
        var (first, second) = (Run("model-1"), Run("model-2"));
        var assigned = Assigned("model-1");
        await first.SubmitAsync(Order("model-1") with { Model = "shared", Pool = "one" });
        await BeatAsync("one", "w-one");
        await assigned;

        var outcome = await second.SubmitAsync(Order("model-2") with { Model = "shared", Pool = "two" });
        Assert.Equal(new SubmitOutcome(true, true, "queued: run model-1 has begun on the same model and is not done"), outcome);
        await BeatAsync("two", "w-two");

        // What its pool gives it while the first works is not taken; another run of that pool is not held up by that.
        Assert.False(await second.FormAsync([new GangMember("w-two", "queue")]));
        var free = Assigned("model-3");
        await Run("model-3").SubmitAsync(Order("model-3") with { Pool = "two" });
        await free;
        Assert.Equal(("queued", 0L), (await second.ViewAsync()) is { } view ? (view.Status, view.Generation) : default);

        var turn = Assigned("model-2");
        await first.CancelAsync("enough");
        await Run("model-3").CancelAsync("enough");
        await second.WakeAsync();
        await turn;
        Assert.Equal("running", (await second.ViewAsync())?.Status);
    }

    [Fact]
    public async Task Submit_poolWithoutWorkers_saysThatItWaits()
    {
        var run = Run("nobody");
        await run.SubmitAsync(Order("nobody") with { Pool = "deserted" });

        await WaitsAsync(run, static waits => waits == "waits for workers: pool deserted has none");
        var assigned = Assigned("nobody");
        await BeatAsync("deserted", "settler");
        await assigned;
        Assert.Null((await run.ViewAsync())?.Waits);
    }

    [Fact]
    public async Task Waits_openedAgain_areNotThoseOfBefore()
    {
        var run = Run("again");
        var order = Order("again") with { Pool = "again" };
        await run.SubmitAsync(order);
        await run.WaitsAsync("for something of old");
        await WaitsAsync(run, static waits => waits == "for something of old");

        await run.CancelAsync("enough");
        await run.SubmitAsync(order);

        Assert.NotEqual("for something of old", (await run.ViewAsync())?.Waits);
    }

    [Fact]
    public async Task Waits_ofARunThatWaitsNoLonger_areTakenBackByItsPool()
    {
        var run = Run("taken-back");
        var order = Order("taken-back") with { Pool = "taken-back" };
        await run.SubmitAsync(order);
        await WaitsAsync(run, static waits => waits is not null);

        await fixture.Grains.GetGrain<IPoolGrain>("taken-back").NeedAsync(
            new RunNeed("taken-back", true, order.Model, order.Device, order.Workers, null, DateTimeOffset.UnixEpoch, ["somebody"], 1, []));

        await WaitsAsync(run, static waits => waits is null);
    }

    /// <summary>Another run begins between the look at the store and the write: what the pool has dealt goes to others at once.</summary>
    [Fact]
    public async Task Form_modelTakenSinceTheStoreWasAsked_leavesItsWorkersToOthers()
    {
        var begun = Assigned("race-1");
        await Run("race-1").SubmitAsync(Order("race-1") with { Model = "raced", Pool = "race-one" });
        await BeatAsync("race-one", "w-race-one");
        await begun;
        await Run("race-2").SubmitAsync(Order("race-2") with { Model = "raced", Pool = "race-two" });
        var overlooked = fixture.Store.OverlookRunAtWorkOn("raced");

        await BeatAsync("race-two", "w-race-two");
        await overlooked.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        var free = Assigned("race-3");
        await Run("race-3").SubmitAsync(Order("race-3") with { Pool = "race-two" });

        Assert.Equal("w-race-two", (await free).WorkerId);
        Assert.Equal(("queued", 0L), (await Run("race-2").ViewAsync()) is { } view ? (view.Status, view.Generation) : default);
        await WaitsAsync(Run("race-2"), static waits => waits == "run race-1 has begun on the same model and is not done");
    }

    [Fact]
    public async Task Beat_ofAnotherBuild_isRefusedWithBothVersionsAndGetsNothing()
    {
        var refused = fixture.NextAsync(static command => command is WorkerRefused { WorkerId: "stranger" });
        await fixture.Grains.GetGrain<IPoolGrain>("strange").BeatAsync(Beat("strange", "stranger") with { Build = "old" });

        var reason = Assert.IsType<WorkerRefused>(await refused).Reason;
        Assert.Contains("version old", reason, StringComparison.Ordinal);
        Assert.Contains("version build", reason, StringComparison.Ordinal);
        Assert.Empty(await fixture.Grains.GetGrain<IPoolGrain>("strange").WorkersAsync());
    }

    [Fact]
    public async Task Call_ofAWorker_isAnsweredOnceTheStateIsDurable()
    {
        var assigned = Assigned("durable");
        await Run("durable").SubmitAsync(Order("durable") with { Pool = "durable" });
        await BeatAsync("durable", "w-durable");
        var gang = Assert.IsType<GangAssigned>(await assigned);
        var ready = fixture.NextAsync(static command => command is WorkerAnswer { RunId: "durable" });
        var call = new WorkerCall("w-durable", "durable", gang.Generation, 0, 1, WorkerCallKind.Ready, JsonSerializer.Serialize(RunRig.Plan, RunStateJson.Options));

        await Run("durable").CallAsync(call);

        Assert.Equal(RunRig.Plan.Hash(), Assert.IsType<WorkerAnswer>(await ready).Body);
        Assert.Equal("evaluate original", (await Run("durable").ViewAsync())?.Stage);
    }

    private static RunOrder Order(string name) => new()
    {
        Model = "model of " + name,
        Data = "data",
        Forget = "forget",
        Out = name,
        Configuration = ConfigurationJson.Canonical(new RunConfiguration()),
        Pool = "idle",
        Workers = 1,
    };

    private static WorkerBeat Beat(string pool, string worker) => new(worker, worker, "build", pool, "cpu", 1, "queue of " + worker, false, null, 0);

    private static async Task WaitsAsync(IRunGrain run, Func<string?, bool> reached)
    {
        string? last = null;
        for (var start = TimeProvider.System.GetTimestamp(); !reached(last = (await run.ViewAsync())?.Waits); await Task.Yield())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromMinutes(1), $"it waits {last ?? "for nothing"}");
        }
    }

    private Task<WorkerCommand> Assigned(string run) => fixture.NextAsync(command => command is GangAssigned assigned && assigned.RunId == run);

    private Task BeatAsync(string pool, string worker) => fixture.Grains.GetGrain<IPoolGrain>(pool).BeatAsync(Beat(pool, worker));

    private IRunGrain Run(string id) => fixture.Grains.GetGrain<IRunGrain>(id);
}
