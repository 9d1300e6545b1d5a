using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Scissorhands.Deletion.Gate;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Telemetry;

/// <summary>Instruments of the deletion service; docs/metrics.md lists them. No request, sample or person is a tag.</summary>
public static class ServiceMeters
{
    /// <summary>Name of the meter and of the source of spans.</summary>
    public const string Name = "Scissorhands.Service";

    private static readonly Meter Meter = new(Name);
    private static readonly InstrumentAdvice<double> DurationAdvice = new() { HistogramBucketBoundaries = [60, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000] };
    private static readonly Counter<long> SubmissionCounter = Meter.CreateCounter<long>("scissorhands.deletion.submissions", "{request}", "Submissions by door (http, queue) and outcome (accepted, repeated, rejected, conflict, refused).");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram("scissorhands.deletion.duration", "s", "From acceptance to completion.", advice: DurationAdvice);
    private static readonly Counter<long> Batches = Meter.CreateCounter<long>("scissorhands.deletion.batches", "{batch}", "Batches that ended: completed or failed.");
    private static readonly Counter<long> Verdicts = Meter.CreateCounter<long>("scissorhands.gate.verdicts", "{verdict}", "Attempts judged by the gate: publish, stronger, milder, fail.");
    private static readonly Counter<long> Certificates = Meter.CreateCounter<long>("scissorhands.certificates", "{certificate}", "Certificates signed, and attempts to sign or write one that failed.");
    private static readonly Counter<long> Deliveries = Meter.CreateCounter<long>("scissorhands.hook.deliveries", "{delivery}", "Deliveries to hooks by kind (webhook, rabbitmq, mlflow) and outcome (delivered, retried).");
    private static readonly Counter<long> DeadMessages = Meter.CreateCounter<long>("scissorhands.intake.dead", "{message}", "Messages of the queue door that are no requests and were set aside.");
    private static readonly ConcurrentDictionary<string, byte> Pools = new(StringComparer.Ordinal) { ["default"] = 0 };
    private static ServiceCensus? _census;
    private static long _takenAt;
    private static bool? _storeUp;
    private static Func<bool>? _brokerUp;

    static ServiceMeters()
    {
        Meter.CreateObservableGauge("scissorhands.deletion.requests", static () => Of(static c => c.Requests.Select(static r => new Measurement<long>(r.Value, Tag("state", r.Key)))), "{request}", "Deletion requests by state.");
        Meter.CreateObservableGauge("scissorhands.deletion.deadlines", static () => Of(static c => c.Deadlines.Select(static d => new Measurement<long>(d.Value, Tag("status", d.Key)))), "{request}", "Open requests by how they stand to their deadline: onTime, atRisk, missed. Those on hold are left out.");
        Meter.CreateObservableGauge("scissorhands.deletion.oldest", static () => Of<double>(static c => [new Measurement<double>(c.OldestSeconds is { } oldest ? oldest + Age() : 0)]), "s", "Age of the oldest open request that is not on hold, from when it was stored. 0 where none is open.");
        Meter.CreateObservableGauge("scissorhands.deletion.slack", static () => Of(static c => c.SlackSeconds is { } slack ? (IEnumerable<Measurement<double>>)[new Measurement<double>(slack - Age())] : []), "s", "Least time that is left until the deadline of an open request that is not on hold; negative once it is missed. Absent where none is open.");
        Meter.CreateObservableGauge("scissorhands.outbox.pending", static () => Of<long>(static c => [new Measurement<long>(c.OutboxPending)]), "{message}", "Messages in the outbox that are not delivered yet.");
        Meter.CreateObservableGauge("scissorhands.audit.unsigned", static () => Of<double>(static c => [new Measurement<double>(c.UnsignedSeconds is { } unsigned ? unsigned + Age() : 0)]), "s", "Age of the oldest row of the audit that no signed head covers. 0 where there is none, or no key to sign with.");
        Meter.CreateObservableGauge("scissorhands.runs", static () => Of(OpenRuns), "{run}", "Open runs: queued or running.");
        Meter.CreateObservableGauge("scissorhands.model.accuracy", static () => Of(static c => c.Models.SelectMany(static m => m.Accuracy.Select(a => new Measurement<double>(a.Value, Tag("model", m.Model), Tag("set", a.Key))))), "%", "Accuracy of the version in use, as its run measured it, on the sets forget, retain, test and earlier. Unlearning accuracy (UA) is 100 less that on forget.");
        Meter.CreateObservableGauge("scissorhands.model.mia", static () => Of(static c => c.Models.Where(static m => m.Mia is not null).Select(static m => new Measurement<double>(m.Mia!.Value, Tag("model", m.Model)))), "%", "Share of forgotten samples that the membership attack takes for non-members.");
        Meter.CreateObservableGauge("scissorhands.model.gap", static () => Of(static c => c.Models.Where(static m => m.Gap is not null).Select(static m => new Measurement<double>(m.Gap!.Value, Tag("model", m.Model)))), "%", "How far accuracy on the forgotten samples is from the gate's reference, in points.");
        Meter.CreateObservableGauge("scissorhands.dependency.up", DependenciesUp, "{dependency}", "1 where the coordinator reaches store or broker, otherwise 0.");
    }

    /// <summary>Spans of what happens to requests.</summary>
    public static ActivitySource Spans { get; } = new(Name);

    /// <summary>Lets counters that somebody is called for exist from the start: what is born with its first event has no increase.</summary>
    public static void Begin()
    {
        DeadMessages.Add(0);
        foreach (var outcome in (string[])["completed", "failed"])
        {
            Batches.Add(0, Tag("outcome", outcome));
        }

        foreach (var outcome in (string[])["signed", "failed"])
        {
            Certificates.Add(0, Tag("outcome", outcome));
        }

        foreach (var decision in (string[])["publish", "stronger", "milder", "fail"])
        {
            Verdicts.Add(0, Tag("decision", decision));
        }
    }

    /// <summary>A submission was answered.</summary>
    /// <param name="door">http or queue.</param>
    /// <param name="outcome">accepted, repeated, rejected, conflict or refused.</param>
    public static void Submitted(string door, string outcome) => SubmissionCounter.Add(1, Tag("door", door), Tag("outcome", outcome));

    /// <summary>A message is no request.</summary>
    public static void Buried() => DeadMessages.Add(1);

    /// <summary>An event was handed to a hook, or was not taken.</summary>
    /// <param name="kind">webhook, rabbitmq or mlflow.</param>
    /// <param name="delivered">Whether it was taken.</param>
    public static void Delivered(string kind, bool delivered) => Deliveries.Add(1, Tag("kind", kind), Tag("outcome", delivered ? "delivered" : "retried"));

    /// <summary>How the broker is asked after.</summary>
    /// <param name="isUp">Whether it is reached now.</param>
    public static void WatchBroker(Func<bool> isUp) => _brokerUp = isUp;

    /// <summary>Notes what the store has told.</summary>
    /// <param name="census">What it has told; null where it cannot be reached.</param>
    public static void Take(ServiceCensus? census)
    {
        _storeUp = census is not null;
        if (census is not null)
        {
            _takenAt = Stopwatch.GetTimestamp();
            _census = census;
        }
    }

    /// <summary>A request is completed.</summary>
    /// <param name="seconds">Since it was accepted.</param>
    internal static void Completed(double seconds) => Duration.Record(Math.Max(0, seconds));

    /// <summary>A batch has ended.</summary>
    /// <param name="completed">Whether a version was published.</param>
    internal static void BatchEnded(bool completed) => Batches.Add(1, Tag("outcome", completed ? "completed" : "failed"));

    /// <summary>An attempt was judged.</summary>
    /// <param name="decision">What the gate says.</param>
    /// <param name="last">Whether no further attempt follows, though the gate asks for one.</param>
    internal static void Judged(GateDecision decision, bool last) =>
        Verdicts.Add(1, Tag("decision", decision == GateDecision.Publish ? "publish" : last ? "fail" : decision == GateDecision.Stronger ? "stronger" : "milder"));

    /// <summary>A certificate was signed and written, or could not be.</summary>
    /// <param name="signed">Whether it was.</param>
    internal static void Certified(bool signed) => Certificates.Add(1, Tag("outcome", signed ? "signed" : "failed"));

    // A pool that has had a run is told of for as long as the process lives, also where none is open: with 0.
    private static IEnumerable<Measurement<long>> OpenRuns(ServiceCensus census)
    {
        foreach (var run in census.Runs)
        {
            Pools.TryAdd(run.Pool, 0);
        }

        foreach (var pool in Pools.Keys)
        {
            foreach (var status in (string[])["queued", "running"])
            {
                yield return new Measurement<long>(census.Runs.Where(r => r.Pool == pool && r.Status == status).Sum(static r => r.Count), Tag("status", status), Tag("pool", pool));
            }
        }
    }

    private static double Age() => Stopwatch.GetElapsedTime(_takenAt).TotalSeconds;

    private static IEnumerable<Measurement<T>> Of<T>(Func<ServiceCensus, IEnumerable<Measurement<T>>> read)
        where T : struct => _census is { } census ? read(census) : [];

    private static IEnumerable<Measurement<long>> DependenciesUp()
    {
        if (_storeUp is { } store)
        {
            yield return new Measurement<long>(store ? 1 : 0, Tag("dependency", "store"));
        }

        if (_brokerUp is { } broker)
        {
            yield return new Measurement<long>(broker() ? 1 : 0, Tag("dependency", "broker"));
        }
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
