using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Telemetry;

/// <summary>Instruments of runs and pools; docs/metrics.md lists them. No run, worker or rank is a tag: those belong into traces and logs.</summary>
public static class RunMeters
{
    /// <summary>Name of the meter and of the source of spans.</summary>
    public const string Name = "Scissorhands.Runs";

    private static readonly Meter Meter = new(Name);
    private static readonly InstrumentAdvice<double> StageAdvice = new() { HistogramBucketBoundaries = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400] };
    private static readonly Counter<long> Ended = Meter.CreateCounter<long>("scissorhands.runs.ended", "{run}", "Runs that ended (completed, failed, cancelled), with the stage they were in.");
    private static readonly Histogram<double> StageTime = Meter.CreateHistogram("scissorhands.stage.duration", "s", "From a stage's beginning to its end, all generations together.", advice: StageAdvice);
    private static readonly Counter<long> Generations = Meter.CreateCounter<long>("scissorhands.generations", "{generation}", "Generations formed: first, or because workers were lost, left, joined, or broke off, or because the coordinator had to begin anew (restarted).");
    private static readonly Counter<long> LostWorkers = Meter.CreateCounter<long>("scissorhands.workers.lost", "{worker}", "Workers that fell silent.");
    private static readonly string[] Stages = ["planning", .. Enum.GetValues<RunStage>().Where(static stage => stage != RunStage.Completed).Select(StageNames.Of)];
    private static readonly string[] WorkerStates = ["free", "busy", "leaving"];
    private static readonly ConcurrentDictionary<string, ActiveRun> Runs = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, PoolState> Pools = new(StringComparer.Ordinal);

    static RunMeters()
    {
        Meter.CreateObservableGauge("scissorhands.runs.active", static () => Stages.Select(static stage => new Measurement<long>(Runs.Values.Count(run => run.AtWork && run.Stage == stage), Tag("stage", stage))), "{run}", "Runs at work by stage, of those that this replica hosts.");
        Meter.CreateObservableGauge("scissorhands.run.silence", static () => Runs.Values.Where(static run => run.AtWork).Select(static run => Stopwatch.GetElapsedTime(run.HeardAt).TotalSeconds).DefaultIfEmpty(0).Max(), "s", "Longest time that a run at work, hosted by this replica, has told of no progress. 0 where none is at work.");
        Meter.CreateObservableGauge("scissorhands.rank.skew", static () => Runs.Values.Select(static run => run.Skew).OfType<double>().DefaultIfEmpty(1).Max(), "1", "Slowest rank's computing time of a step over the median of its gang; the worst of the runs that this replica hosts.");
        Meter.CreateObservableGauge("scissorhands.leases", Leases, "{lease}", "Sensitivity leases of runs that this replica hosts: open (not handed out), out, done.");
        Meter.CreateObservableGauge("scissorhands.workers", Workers, "{worker}", "Workers whose signs of life arrive: free, busy, leaving.");
        Meter.CreateObservableGauge("scissorhands.pool.waiting", static () => Pools.Select(static pool => new Measurement<long>(pool.Value.Waiting, Tag("pool", pool.Key))), "{run}", "Runs that wait for workers.");
    }

    /// <summary>Spans of runs and their stages.</summary>
    internal static ActivitySource Spans { get; } = new(Name);

    /// <summary>Notes where a run of this replica stands.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="pool">Its pool.</param>
    /// <param name="stage">Its stage; null before its plan is known.</param>
    /// <param name="atWork">Whether workers are at work on it.</param>
    /// <param name="heardAt">When something of it was heard (<see cref="Stopwatch.GetTimestamp"/>); null where nothing new was.</param>
    /// <param name="open">Leases not handed out yet.</param>
    /// <param name="handedOut">Leases handed out and not durable yet.</param>
    /// <param name="durable">Leases whose sums are durable.</param>
    /// <param name="skew">Slowest rank over the median; null where that is not known.</param>
    internal static void Note(string runId, string pool, RunStage? stage, bool atWork, long? heardAt, int open, int handedOut, int durable, double? skew)
    {
        // Waiting for workers is no silence: it is counted from when they begin.
        var known = Runs.GetValueOrDefault(runId);
        var heard = heardAt ?? (known is { AtWork: true } || !atWork ? known?.HeardAt : null) ?? Stopwatch.GetTimestamp();
        Runs[runId] = new ActiveRun(pool, stage is { } at ? StageNames.Of(at) : "planning", atWork, heard, open, handedOut, durable, skew);
    }

    /// <summary>Moves the time at which something of a run was heard.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="skew">Slowest rank over the median; null where that is not known.</param>
    internal static void Heard(string runId, double? skew)
    {
        if (Runs.TryGetValue(runId, out var known))
        {
            Runs.TryUpdate(runId, known with { HeardAt = Stopwatch.GetTimestamp(), Skew = skew }, known);
        }
    }

    /// <summary>A run is over, or another replica's.</summary>
    /// <param name="runId">The run.</param>
    internal static void Forget(string runId) => Runs.TryRemove(runId, out _);

    /// <summary>A run has ended.</summary>
    /// <param name="outcome">completed, failed or cancelled.</param>
    /// <param name="stage">The stage it was in; null before its plan was known.</param>
    internal static void End(string outcome, RunStage? stage) => Ended.Add(1, Tag("outcome", outcome), Tag("stage", stage is { } known ? StageNames.Of(known) : "planning"));

    /// <summary>A stage has ended.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="seconds">How long it took, all generations together.</param>
    internal static void StageDone(RunStage stage, double seconds) => StageTime.Record(seconds, Tag("stage", StageNames.Of(stage)));

    /// <summary>A generation was formed.</summary>
    /// <param name="reason">Why, of the few words that the catalogue lists.</param>
    internal static void Generation(string reason) => Generations.Add(1, Tag("reason", reason));

    /// <summary>Notes where a pool of this replica stands.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="workers">Its workers.</param>
    /// <param name="waiting">Runs that wait.</param>
    internal static void Note(string pool, IReadOnlyList<WorkerView> workers, int waiting) => Pools[pool] = new PoolState(
        [.. workers.GroupBy(static w => (w.Device, State: w.State == "working" ? "busy" : w.State)).Select(static g => (g.Key.Device, g.Key.State, g.Count()))],
        waiting);

    /// <summary>A pool is another replica's.</summary>
    /// <param name="pool">The pool.</param>
    internal static void ForgetPool(string pool) => Pools.TryRemove(pool, out _);

    /// <summary>Workers fell silent.</summary>
    /// <param name="pool">Their pool.</param>
    /// <param name="count">How many.</param>
    internal static void Lost(string pool, int count) => LostWorkers.Add(count, Tag("pool", pool));

    // Nothing is told as 0, for what is absent cannot be told from what is not watched.
    private static IEnumerable<Measurement<long>> Workers()
    {
        foreach (var (name, pool) in Pools)
        {
            foreach (var device in pool.Workers.Select(static w => w.Device).Distinct(StringComparer.Ordinal))
            {
                foreach (var state in WorkerStates)
                {
                    yield return new Measurement<long>(pool.Workers.Where(w => w.Device == device && w.State == state).Sum(static w => w.Count), Tag("pool", name), Tag("device", device), Tag("state", state));
                }
            }
        }
    }

    private static IEnumerable<Measurement<long>> Leases()
    {
        foreach (var pool in Pools.Keys.Union(Runs.Values.Select(static run => run.Pool), StringComparer.Ordinal))
        {
            var runs = Runs.Values.Where(run => run.Pool == pool).ToArray();
            yield return new Measurement<long>(runs.Sum(static run => run.LeasesOpen), Tag("pool", pool), Tag("state", "open"));
            yield return new Measurement<long>(runs.Sum(static run => run.LeasesOut), Tag("pool", pool), Tag("state", "out"));
            yield return new Measurement<long>(runs.Sum(static run => run.LeasesDone), Tag("pool", pool), Tag("state", "done"));
        }
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private sealed record ActiveRun(string Pool, string Stage, bool AtWork, long HeardAt, int LeasesOpen, int LeasesOut, int LeasesDone, double? Skew);

    private sealed record PoolState((string Device, string State, int Count)[] Workers, int Waiting);
}
