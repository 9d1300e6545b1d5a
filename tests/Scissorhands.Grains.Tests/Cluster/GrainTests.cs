using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Grains.Tests.Cluster;

/// <summary>One coordinator's grains over a store in a file.</summary>
public sealed class GrainFixture : IWorkerCommandSink, IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-grains-").FullName;
    private readonly Lock _sync = new();
    private readonly List<(Func<WorkerCommand, bool> Which, TaskCompletionSource<WorkerCommand> Heard)> _awaited = [];
    private InProcessTestCluster _cluster = null!;

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
        Assert.Equal("canceled", (await first.ViewAsync())?.Status);
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
        Assert.Equal(new SubmitOutcome(true, true, "queued: run model-1 works on the same model"), outcome);
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

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while ((await run.ViewAsync())?.Waits is null)
        {
            deadline.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.Equal("waits for workers: pool deserted has none", (await run.ViewAsync())?.Waits);
        var assigned = Assigned("nobody");
        await BeatAsync("deserted", "settler");
        await assigned;
        Assert.Null((await run.ViewAsync())?.Waits);
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

    private Task<WorkerCommand> Assigned(string run) => fixture.NextAsync(command => command is GangAssigned assigned && assigned.RunId == run);

    private Task BeatAsync(string pool, string worker) => fixture.Grains.GetGrain<IPoolGrain>(pool).BeatAsync(Beat(pool, worker));

    private IRunGrain Run(string id) => fixture.Grains.GetGrain<IRunGrain>(id);
}
