using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Runs;

namespace Scissorhands.Grains.Tests.Runs;

public sealed class LocalCoordinatorTests
{
    [Fact]
    public async Task Report_checkpoint_countsTheTimeSoFar()
    {
        var time = new FakeTimeProvider();
        var store = new Store();
        var first = Open(new RunState { RunId = "run", PlanHash = "hash", Blocks = 1, WindowBlocks = 1, Stage = RunStage.Repair }, store, time);
        time.Advance(TimeSpan.FromHours(5));
        await first.LinkFor(0).ReportAsync(new CheckpointWritten("run", first.State.Generation, 0, RunStage.Repair, 100, "repair-100"), CancellationToken.None);
        time.Advance(TimeSpan.FromHours(1));

        // Killed here: the hour since the checkpoint is work that is done again.
        var second = Open(store.Last!, store, time);
        time.Advance(TimeSpan.FromMinutes(10));
        await second.LinkFor(0).ReportAsync(new StageDone("run", second.State.Generation, 0, RunStage.Repair, "{}"), CancellationToken.None);

        Assert.Equal(TimeSpan.FromMinutes(310).TotalSeconds, store.Last!.Seconds[RunStage.Repair]);
        Assert.Null(store.Last.FinishedAt);
    }

    [Fact]
    public async Task Report_published_notesWhen()
    {
        var time = new FakeTimeProvider();
        var store = new Store();
        var coordinator = Open(new RunState { RunId = "run", PlanHash = "hash", Blocks = 1, WindowBlocks = 1, Stage = RunStage.Publish }, store, time);
        time.Advance(TimeSpan.FromSeconds(2));

        await coordinator.LinkFor(0).ReportAsync(new StageDone("run", coordinator.State.Generation, 0, RunStage.Publish, "{}"), CancellationToken.None);

        // The report, which comes last, says when.
        Assert.Equal(RunStage.Report, store.Last!.Stage);
        Assert.Equal(time.GetUtcNow(), store.Last.FinishedAt);
        var published = store.Last.FinishedAt;
        time.Advance(TimeSpan.FromSeconds(1));
        await coordinator.LinkFor(0).ReportAsync(new StageDone("run", coordinator.State.Generation, 0, RunStage.Report, "{}"), CancellationToken.None);
        Assert.Equal(RunStage.Completed, store.Last!.Stage);
        Assert.Equal(published, store.Last.FinishedAt);
    }

    private static LocalCoordinator Open(RunState state, Store store, TimeProvider time) => new(state, 1, store, time, _ => { });

    private sealed class Store : IRunStateStore
    {
        public RunState? Last { get; private set; }

        public RunState? Read() => Last;

        public void Write(RunState state) => Last = state;
    }
}
