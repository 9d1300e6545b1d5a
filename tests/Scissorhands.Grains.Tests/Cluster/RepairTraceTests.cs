using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Cluster;

namespace Scissorhands.Grains.Tests.Cluster;

public sealed class RepairTraceTests
{
    [Fact]
    public void Note_moreStepsThanAreDrawn_keepsFewerWithTheFirstAndTheLast()
    {
        var trace = new RepairTrace(null);
        for (var step = 0; step < 5000; step += 7)
        {
            trace.Note(Told(1, 0, step, step + 3), "w");
            var kept = trace.Current!.Steps;
            Assert.InRange(kept.Count, 1, RepairTrace.MostSteps);
            Assert.Equal((0, step + 3), (kept[0].Step, kept[^1].Step));
            Assert.Equal(kept.Select(static s => s.Step).Order(), kept.Select(static s => s.Step));
        }
    }

    [Fact]
    public void Note_anotherGenerationDoesStepsAgain_theyCountInsteadAndSoDoThoseAfterThem()
    {
        var trace = new RepairTrace(null);
        trace.Note(Told(1, 0, 0, 1, 2, 3, 4), "a");

        // Late, but of the same generation: it takes nothing away.
        trace.Note(Told(1, 0, 2), "a");
        Assert.Equal([0, 1, 2, 3, 4], trace.Current!.Steps.Select(static s => s.Step));
        trace.Note(Told(2, 0, 2) with { Figures = [new StepFigures(2, 9, null, 1, null)] }, "a");

        Assert.Equal([(0, 0.5), (1, 0.5), (2, 9.0)], trace.Current!.Steps.Select(static s => (s.Step, s.RetainLoss)));
    }

    [Fact]
    public void Note_timesOfRanks_meanAndLastOfTheGenerationThatToldThem()
    {
        var trace = new RepairTrace(null);
        trace.Note(Times(1, 0, 1), "a");
        trace.Note(Times(1, 0, 3), "a");
        trace.Note(Times(1, 1, 8), "b");
        Assert.Equal([("a", 2, 2.0, 3.0), ("b", 1, 8.0, 8.0)], trace.Current!.Ranks.Select(static r => (r.WorkerId, r.Told, r.Mean.Compute, r.Last.Compute)));

        trace.Note(Times(2, 0, 5), "c");

        Assert.Equal("c", Assert.Single(trace.Current!.Ranks).WorkerId);
    }

    [Fact]
    public void Trace_ofARunThatIsReadAgain_isWhatWasStored()
    {
        var rig = new RunRig(new FakeTimeProvider());
        var run = rig.Open();
        run.Form(RunRig.Members("a", "b"));
        run.Note(Told(run.State.Generation, 0, 0, 1));
        run.Note(Times(run.State.Generation, 1, 2));
        run.Note(Told(run.State.Generation - 1, 0, 9));

        var trace = rig.Restart(run).Trace;

        Assert.Equal([0, 1], trace.Steps.Select(static s => s.Step));
        Assert.Equal("b", Assert.Single(trace.Ranks).WorkerId);
    }

    [Fact]
    public void State_ofARunThatEnds_saysWhenUntilItIsTakenUpAgain()
    {
        var time = new FakeTimeProvider();
        var run = new RunRig(time).Open();
        run.Form(RunRig.Members("a"));
        Assert.Null(run.State.EndedAt);
        time.Advance(TimeSpan.FromHours(1));

        run.Cancel("by its owner");

        Assert.Equal(time.GetUtcNow(), run.State.EndedAt);
        run.Reopen();
        Assert.Null(run.State.EndedAt);
    }

    private static WorkerProgress Told(long generation, int rank, params int[] steps) =>
        new("run", generation, rank, "repair", steps[^1] + 1, 10_000, "steps", 0.5, null, [.. steps.Select(static step => new StepFigures(step, 0.5, null, 1, null))]);

    private static WorkerProgress Times(long generation, int rank, double compute) => new("run", generation, rank, "repair", 1, 10, "steps", null, new StepTimes(compute, 0, 0, 0));
}
