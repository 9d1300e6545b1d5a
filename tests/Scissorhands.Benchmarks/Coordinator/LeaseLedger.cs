using System.Collections.Concurrent;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>
/// What the owners of ranges would hold: which leases went into which run's durable sum. A window may only become durable
/// when it holds each of its leases exactly once; a run may only go on to the selection when all of them are durable.
/// </summary>
internal sealed class LeaseLedger(int leases)
{
    private readonly ConcurrentDictionary<string, Sum> _sums = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _violations = new();
    private long _computed;

    public IReadOnlyList<string> Violations => [.. _violations];

    /// <summary>Leases that were computed, with those that were lost with their worker.</summary>
    public long Computed => Interlocked.Read(ref _computed);

    /// <summary>Leases that count.</summary>
    public long Counted => _sums.Values.Sum(static sum => (long)sum.Durable);

    /// <summary>Meets the other ranks of the generation at the end of a window, whose sum becomes durable with the last of them.</summary>
    public Task MakeDurableAsync(StageAssignment stage, int from, int to, IReadOnlyList<int> blocks, CancellationToken cancellationToken)
    {
        Interlocked.Add(ref _computed, blocks.Count);
        return MeetAsync(stage, to, reported: false, blocks, (sum, all) =>
        {
            int[] held = [.. all.SelectMany(static b => b).Order()];
            if (!held.SequenceEqual(Enumerable.Range(from, to - from)))
            {
                _violations.Enqueue($"run {stage.RunId}: the window [{from}, {to}) holds {held.Length} leases, {held.Distinct().Count()} of them different");
            }

            sum.Durable = Math.Max(sum.Durable, to);
        }, cancellationToken);
    }

    /// <summary>Meets the other ranks once more, when the coordinator has heard of the window from all of them.</summary>
    public Task HaveReportedAsync(StageAssignment stage, int to, CancellationToken cancellationToken) =>
        MeetAsync(stage, to, reported: true, [], static (_, _) => { }, cancellationToken);

    /// <summary>A worker was told where the durable sum ends.</summary>
    public void Resumed(string runId, int committed)
    {
        // One window may have been made durable whose report was lost; no fewer may be counted than the coordinator says.
        if (committed > (_sums.TryGetValue(runId, out var sum) ? sum.Durable : 0))
        {
            _violations.Enqueue($"run {runId}: {committed} leases are said to be durable");
        }
    }

    /// <summary>A run has left the sensitivity stage.</summary>
    public void Selected(string runId)
    {
        var durable = _sums.TryGetValue(runId, out var sum) ? sum.Durable : 0;
        if (durable != leases)
        {
            _violations.Enqueue($"run {runId}: {durable} of {leases} leases are durable at the selection");
        }
    }

    private async Task MeetAsync(StageAssignment stage, int to, bool reported, IReadOnlyList<int> blocks, Action<Sum, IReadOnlyList<int>[]> whenAll, CancellationToken cancellationToken)
    {
        var sum = _sums.GetOrAdd(stage.RunId, static _ => new Sum());
        Meeting? meeting;
        lock (sum)
        {
            var key = (stage.Generation, to, reported);
            if (!sum.Meetings.TryGetValue(key, out meeting))
            {
                sum.Meetings[key] = meeting = new Meeting(stage.Size);
            }

            meeting.Blocks[stage.Rank] = blocks;
            if (meeting.Blocks.All(static b => b is not null))
            {
                sum.Meetings.Remove(key);
                whenAll(sum, meeting.Blocks!);
                meeting.Over.TrySetResult();
            }
        }

        await meeting.Over.Task.WaitAsync(cancellationToken);
    }

    private sealed class Sum
    {
        public Dictionary<(long Generation, int To, bool Reported), Meeting> Meetings { get; } = [];

        public int Durable { get; set; }
    }

    private sealed class Meeting(int size)
    {
        public IReadOnlyList<int>?[] Blocks { get; } = new IReadOnlyList<int>?[size];

        public TaskCompletionSource Over { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
