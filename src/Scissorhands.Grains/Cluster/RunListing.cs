using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Cluster;

/// <summary>A run as lists show it.</summary>
/// <param name="Run">The run.</param>
/// <param name="Stage">Its stage, by name; null before its plan.</param>
/// <param name="StartedAt">When its first stage began; null before.</param>
/// <param name="EndedAt">When it ended; null while it is open.</param>
public sealed record ListedRun(RunHead Run, string? Stage, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt);

/// <summary>
/// The newest runs, for pages that ask again and again. A run's state is large, and is read only where the run has been written
/// since it was last listed: a version never changes, whoever wrote it, while an ended run may be submitted again and go on.
/// Remembered is what was listed last, and no more.
/// </summary>
/// <param name="store">The store.</param>
public sealed class RunListing(IRunStore store)
{
    private volatile IReadOnlyDictionary<string, ListedRun> _last = new Dictionary<string, ListedRun>();

    /// <summary>Lists.</summary>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <returns>The newest runs, newest first.</returns>
    public async Task<IReadOnlyList<ListedRun>> NewestAsync(int limit, CancellationToken ct)
    {
        var heads = await store.HeadsAsync(limit, ct);
        var last = _last;
        string[] changed = [.. heads.Where(head => last.GetValueOrDefault(head.RunId)?.Run.Version != head.Version).Select(static head => head.RunId)];

        // May be newer than the head: then the whole run is.
        var read = changed.Length == 0 ? [] : (await store.ReadManyAsync(changed, ct)).ToDictionary(static run => run.RunId, Listed, StringComparer.Ordinal);
        ListedRun[] listed = [.. heads.Select(head => read.GetValueOrDefault(head.RunId) ?? last[head.RunId])];
        _last = listed.ToDictionary(static l => l.Run.RunId, StringComparer.Ordinal);
        return listed;
    }

    private static ListedRun Listed(StoredRun run)
    {
        var state = ClusterRunState.Parse(run.State);
        return new ListedRun(RunHead.Of(run), state.Run is { } machine ? StageNames.Of(machine.Stage) : null, state.Run?.StartedAt, state.EndedAt);
    }
}
