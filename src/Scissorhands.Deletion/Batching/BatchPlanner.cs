using Scissorhands.Deletion.Gate;

namespace Scissorhands.Deletion.Batching;

/// <summary>A request that waits for a run.</summary>
/// <param name="Id">The request.</param>
/// <param name="StoredAt">Since when it waits (UTC).</param>
/// <param name="Deadline">When it has to be done (UTC).</param>
/// <param name="Samples">Its samples.</param>
public sealed record WaitingRequest(string Id, DateTimeOffset StoredAt, DateTimeOffset Deadline, int Samples);

/// <summary>What is to be done with those that wait.</summary>
/// <param name="Requests">Those that become a batch now, the earliest deadline first; empty for none.</param>
/// <param name="Reason">Why now, or what they wait for.</param>
/// <param name="Again">When to look again at the latest, where they wait; null where only a further request changes anything.</param>
public sealed record BatchDecision(IReadOnlyList<WaitingRequest> Requests, string Reason, DateTimeOffset? Again);

/// <summary>Decides which waiting requests of a model become a run, and when. A function of its arguments alone.</summary>
public static class BatchPlanner
{
    /// <summary>Decides.</summary>
    /// <param name="waiting">Requests that wait, in any order.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="now">Now.</param>
    /// <returns>What is to be done.</returns>
    public static BatchDecision Decide(IReadOnlyList<WaitingRequest> waiting, DeletionPolicy policy, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(waiting);
        ArgumentNullException.ThrowIfNull(policy);
        if (waiting.Count == 0)
        {
            return new BatchDecision([], "no request waits", null);
        }

        var ordered = waiting.OrderBy(static r => r.Deadline).ThenBy(static r => r.StoredAt).ThenBy(static r => r.Id, StringComparer.Ordinal).ToArray();
        var urgentAt = ordered[0].Deadline - policy.Slack;
        if (now >= urgentAt)
        {
            return Take(ordered, policy, "a deadline is near");
        }

        if (policy.QuietHours.FirstOrDefault(quiet => quiet.Contain(now)) is { } quiet)
        {
            var end = now.UtcDateTime.Date + quiet.To.ToTimeSpan();
            var over = new DateTimeOffset(end <= now.UtcDateTime ? end.AddDays(1) : end, TimeSpan.Zero);
            return new BatchDecision([], $"quiet hours until {quiet.To:HH:mm} UTC", over < urgentAt ? over : urgentAt);
        }

        // Too few samples to judge the result by: others are waited for until a deadline says otherwise, where the policy has it so.
        var patient = policy.Gate.SmallSets == SmallSetRule.Wait && waiting.Sum(static r => (long)r.Samples) < policy.Gate.MinForgetSamples;
        if (waiting.Count >= policy.MinRequests && !patient)
        {
            return Take(ordered, policy, $"{waiting.Count} requests wait");
        }

        var due = waiting.Min(static r => r.StoredAt) + policy.MaxWait;
        if (!patient && now >= due)
        {
            return Take(ordered, policy, "the oldest has waited long enough");
        }

        var again = patient || urgentAt < due ? urgentAt : due;
        return new BatchDecision([], patient ? $"fewer than {policy.Gate.MinForgetSamples} samples: the gate could not judge the result" : "others may join", again);
    }

    /// <summary>When a request that is accepted now should be done, by the policy.</summary>
    /// <param name="waiting">Requests that wait, the new one among them.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="now">Now.</param>
    /// <returns>The expected completion (UTC).</returns>
    public static DateTimeOffset Expect(IReadOnlyList<WaitingRequest> waiting, DeletionPolicy policy, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var decision = Decide(waiting, policy, now);
        return (decision.Requests.Count > 0 || decision.Again is null ? now : decision.Again.Value) + policy.ExpectedRun;
    }

    private static BatchDecision Take(WaitingRequest[] ordered, DeletionPolicy policy, string reason) =>
        new(ordered.Length <= policy.MaxRequests ? ordered : ordered[..policy.MaxRequests], reason, null);
}
