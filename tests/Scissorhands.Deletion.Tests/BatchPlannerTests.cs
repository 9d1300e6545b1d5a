using CsCheck;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;

namespace Scissorhands.Deletion.Tests;

public sealed class BatchPlannerTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 6, 12, 0, 0, TimeSpan.Zero);

    private static WaitingRequest Request(string id, TimeSpan waited, TimeSpan left, int samples = 10) => new(id, Now - waited, Now + left, samples);

    private static DeletionPolicy Policy(int minRequests = 3, int maxRequests = 5) => new()
    {
        MinRequests = minRequests,
        MaxRequests = maxRequests,
        MaxWait = TimeSpan.FromHours(1),
        Slack = TimeSpan.FromDays(1),
        Gate = new GateBounds { MinForgetSamples = 10 },
    };

    private static WaitingRequest[] Fresh(int count) => [.. Enumerable.Range(0, count).Select(i => Request($"r{i}", TimeSpan.FromMinutes(i), TimeSpan.FromDays(20 + i)))];

    [Fact]
    public void Decide_NothingWaits_WaitsForRequests() => Assert.Null(BatchPlanner.Decide([], Policy(), Now).Again);

    [Fact]
    public void Decide_Few_WaitsUntilTheOldestHasWaitedLongEnough()
    {
        var decision = BatchPlanner.Decide([Request("a", TimeSpan.FromMinutes(20), TimeSpan.FromDays(20)), Request("b", TimeSpan.Zero, TimeSpan.FromDays(20))], Policy(), Now);

        Assert.Empty(decision.Requests);
        Assert.Equal(Now + TimeSpan.FromMinutes(40), decision.Again);
    }

    [Fact]
    public void Decide_OldestWaitedLongEnough_TakesAll() =>
        Assert.Equal(2, BatchPlanner.Decide([Request("a", TimeSpan.FromHours(1), TimeSpan.FromDays(20)), Request("b", TimeSpan.Zero, TimeSpan.FromDays(20))], Policy(), Now).Requests.Count);

    [Fact]
    public void Decide_ManyWait_TakesThoseWithTheEarliestDeadlinesUpToTheMost() =>
        Assert.Equal(["r0", "r1", "r2", "r3", "r4"], BatchPlanner.Decide([.. Fresh(7).Reverse()], Policy(), Now).Requests.Select(static r => r.Id));

    [Fact]
    public void Decide_QuietHours_WaitsForTheirEndUnlessADeadlineIsNear()
    {
        var policy = Policy() with { QuietHours = [new QuietHours(new TimeOnly(22, 0), new TimeOnly(14, 0))] };

        Assert.Equal(Now.Date.AddHours(14), BatchPlanner.Decide(Fresh(4), policy, Now).Again!.Value.UtcDateTime);
        Assert.Equal(5, BatchPlanner.Decide([.. Fresh(4), Request("urgent", TimeSpan.Zero, TimeSpan.FromHours(23))], policy, Now).Requests.Count);
    }

    [Fact]
    public void Decide_FewSamples_WaitUntilTheDeadlineIsNearWhereThePolicySaysSo()
    {
        WaitingRequest[] waiting = [Request("a", TimeSpan.FromDays(2), TimeSpan.FromDays(20), samples: 1)];

        Assert.Equal(Now + TimeSpan.FromDays(19), BatchPlanner.Decide(waiting, Policy(), Now).Again);
        Assert.Single(BatchPlanner.Decide(waiting, Policy() with { Gate = new GateBounds { SmallSets = SmallSetRule.Accept } }, Now).Requests);
        Assert.Single(BatchPlanner.Decide(waiting, Policy(), Now + TimeSpan.FromDays(19)).Requests);
    }

    /// <summary>Whatever waits: no request is taken twice or invented, none is passed over for a later deadline, and waiting always ends before the slack begins.</summary>
    [Fact]
    public void Decide_AnyRequests_TakesThemInOrderAndNeverWaitsIntoTheSlack() =>
        Gen.Select(Gen.Int[0, 3000], Gen.Int[-10, 40_000], Gen.Int[0, 20]).Array[0, 12].Sample(drawn =>
        {
            WaitingRequest[] waiting = [.. drawn.Select((d, i) => Request($"r{i}", TimeSpan.FromMinutes(d.Item1), TimeSpan.FromMinutes(d.Item2), d.Item3))];
            var policy = Policy();
            var decision = BatchPlanner.Decide(waiting, policy, Now);
            Assert.Equal(decision.Requests.Count, decision.Requests.Distinct().Count());
            Assert.Empty(decision.Requests.Except(waiting));
            if (decision.Requests.Count > 0)
            {
                Assert.True(decision.Requests.Count == Math.Min(waiting.Length, policy.MaxRequests));
                Assert.True(waiting.Except(decision.Requests).All(left => left.Deadline >= decision.Requests.Max(static r => r.Deadline)));
            }
            else if (waiting.Length > 0)
            {
                Assert.InRange(decision.Again!.Value, Now, waiting.Min(static r => r.Deadline) - policy.Slack);
                Assert.NotEmpty(BatchPlanner.Decide(waiting, policy, decision.Again.Value).Requests);
            }
        });
}
