using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Grains.Skeleton;

namespace Scissorhands.Grains.Tests.Skeleton;

public sealed class StepGangTests
{
    private static readonly ToyStep Work = new(Slices: 4, Length: 10, Seed: 1, Workers: 2);

    [Fact]
    public void Announce_waits_for_all_workers_then_deals_ranks_and_all_slices()
    {
        var gang = new StepGang("run", Work);
        Assert.Empty(gang.Announce(new WorkerAnnounced("run", "b", "queue-b")));
        var dealt = gang.Announce(new WorkerAnnounced("run", "a", "queue-a"));
        Assert.Equal(["a", "b"], dealt.Select(static a => a.WorkerId));
        Assert.Equal([0, 1], dealt.Select(static a => a.Rank));
        Assert.Equal([(0, 2), (2, 4)], dealt.Select(static a => (a.FirstSlice, a.EndSlice)));
        Assert.All(dealt, a => Assert.Equal(["queue-a", "queue-b"], a.DataQueues));
        Assert.All(dealt, static a => Assert.Equal(1, a.Generation));
    }

    [Fact]
    public void Announce_repeated_sends_the_same_assignment_again()
    {
        var (gang, dealt) = Dealt();
        Assert.Equal([dealt[0]], gang.Announce(new WorkerAnnounced("run", "a", "queue-a")));
        Assert.Equal(1, gang.Generation);
        Assert.Empty(gang.Announce(new WorkerAnnounced("other", "c", "queue-c")));
    }

    [Fact]
    public void Announce_of_a_worker_that_came_back_begins_a_new_generation_and_drops_older_reports()
    {
        var (gang, old) = Dealt();
        gang.Report(Done(old[0], "hash"));
        var dealt = gang.Announce(new WorkerAnnounced("run", "b", "queue-b2"));
        Assert.All(dealt, static a => Assert.Equal(2, a.Generation));
        Assert.All(dealt, a => Assert.Equal(["queue-a", "queue-b2"], a.DataQueues));
        Assert.False(gang.Report(Done(old[0], "old")));
        Assert.False(gang.Report(Done(old[1], "old")));
        Assert.False(gang.Report(Done(old[1], "", "lost")));
        Assert.False(gang.Report(Done(dealt[0], "new")));
        Assert.True(gang.Report(Done(dealt[1], "new")));
        Assert.Equal(["new", "new"], gang.Outcome!.Hashes);
        Assert.Null(gang.Outcome.Failure);
    }

    [Fact]
    public void Report_repeated_counts_once()
    {
        var (gang, dealt) = Dealt();
        Assert.False(gang.Report(Done(dealt[0], "hash")));
        Assert.False(gang.Report(Done(dealt[0], "hash")));
        Assert.Null(gang.Outcome);
        Assert.False(gang.Report(Done(dealt[0], "hash") with { Rank = 2 }));
        Assert.True(gang.Report(Done(dealt[1], "hash")));
        Assert.False(gang.Report(Done(dealt[1], "hash")));
    }

    [Fact]
    public void Report_of_different_sums_or_a_failure_names_the_workers()
    {
        var (gang, dealt) = Dealt();
        gang.Report(Done(dealt[0], "one"));
        Assert.True(gang.Report(Done(dealt[1], "two")));
        Assert.Contains("a and b", gang.Outcome!.Failure, StringComparison.Ordinal);

        (gang, dealt) = Dealt();
        Assert.True(gang.Report(Done(dealt[1], "", "out of memory")));
        Assert.Equal("worker b (rank 1): out of memory", gang.Outcome!.Failure);
    }

    private static (StepGang Gang, IReadOnlyList<StepAssigned> Dealt) Dealt()
    {
        var gang = new StepGang("run", Work);
        gang.Announce(new WorkerAnnounced("run", "a", "queue-a"));
        return (gang, gang.Announce(new WorkerAnnounced("run", "b", "queue-b")));
    }

    private static StepReported Done(StepAssigned assignment, string hash, string? failure = null) =>
        new(assignment.RunId, assignment.Generation, assignment.Attempt, assignment.Step, assignment.Rank, hash, failure);
}
