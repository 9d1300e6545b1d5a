using System.Diagnostics;
using System.Diagnostics.Metrics;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Worker.Telemetry;

/// <summary>Instruments of the work on one device; docs/metrics.md lists them. No run, generation, step or rank is a tag: those belong into traces and logs.</summary>
public static class WorkerMeters
{
    /// <summary>Name of the meter and of the source of spans.</summary>
    public const string Name = "Scissorhands.Worker";

    private static readonly Meter Meter = new(Name);
    private static readonly InstrumentAdvice<double> StepTimesAdvice = new() { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };
    private static readonly InstrumentAdvice<double> CheckpointAdvice = new() { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] };
    private static readonly Counter<long> SamplesCounter = Meter.CreateCounter<long>("scissorhands.samples", "{sample}", "Samples computed, each as often as it passed through the model.");
    private static readonly Counter<long> StepsCounter = Meter.CreateCounter<long>("scissorhands.steps", "{step}", "Repair steps, and whether the gradient conflicted with a memory and was projected.");
    private static readonly Histogram<double> StepParts = Meter.CreateHistogram("scissorhands.step.duration", "s", "Parts of a repair step: compute, wait (for the others), wire (bytes on the way and additions), projection (with the update).", advice: StepTimesAdvice);
    private static readonly Gauge<double> Loss = Meter.CreateGauge<double>("scissorhands.repair.loss", "nat", "Mean loss of the last step's batches: retain, forget. From rank 0.");
    private static readonly Gauge<double> Accuracy = Meter.CreateGauge<double>("scissorhands.repair.accuracy", "%", "Share of the last step's batches answered right. From rank 0.");
    private static readonly Gauge<double> TrimmedShare = Meter.CreateGauge<double>("scissorhands.trimmed", "1", "Share of the parameters in scope that the last selection trimmed. From rank 0.");
    private static readonly Histogram<double> CheckpointTime = Meter.CreateHistogram("scissorhands.checkpoint.duration", "s", "Time to make a checkpoint durable.", advice: CheckpointAdvice);
    private static readonly Counter<long> Drifts = Meter.CreateCounter<long>("scissorhands.rank.drift", "{check}", "Checks that found the ranks' parameters not alike.");
    private static readonly Counter<long> Retries = Meter.CreateCounter<long>("scissorhands.retries", "{retry}", "What was done again: question (the coordinator did not answer in time), broken (a generation broke off), reconnect.");
    private static readonly KeyValuePair<string, object?> Retain = new("set", "retain");
    private static readonly KeyValuePair<string, object?> Forget = new("set", "forget");
    private static readonly KeyValuePair<string, object?>[] StageTags = [.. Enum.GetValues<RunStage>().Select(static stage => new KeyValuePair<string, object?>("stage", StageNames.Of(stage)))];
    private static long _durableSince;

    // Counters that somebody is called for exist from the start: what is born with its first event has no increase.
    static WorkerMeters()
    {
        Drifts.Add(0);
        Meter.CreateObservableGauge("scissorhands.checkpoint.age", CheckpointAge, "s", "Time since the last checkpoint of the stage at work, or since it began. Absent where no stage that writes some is at work.");
    }

    /// <summary>Spans of stages.</summary>
    internal static ActivitySource Spans { get; } = new(Name);

    /// <summary>Samples go through the model.</summary>
    /// <param name="stage">The stage at work.</param>
    /// <param name="count">How many.</param>
    internal static void Samples(RunStage stage, int count) => SamplesCounter.Add(count, StageTags[(int)stage]);

    /// <summary>A repair step is done.</summary>
    /// <param name="times">Where its time went on this worker.</param>
    /// <param name="projected">Whether its gradient was projected.</param>
    internal static void Step(StepTimes times, bool projected)
    {
        StepsCounter.Add(1, new KeyValuePair<string, object?>("projected", projected ? "true" : "false"));
        StepParts.Record(times.Compute, new KeyValuePair<string, object?>("part", "compute"));
        StepParts.Record(times.Wait, new KeyValuePair<string, object?>("part", "wait"));
        StepParts.Record(times.Wire, new KeyValuePair<string, object?>("part", "wire"));
        StepParts.Record(times.Update, new KeyValuePair<string, object?>("part", "projection"));
    }

    /// <summary>What a repair step came to on all workers together.</summary>
    /// <param name="step">The step.</param>
    internal static void Quality(StepDone step)
    {
        Loss.Record(step.RetainLoss, Retain);
        Accuracy.Record(100 * step.RetainAccuracy, Retain);
        if (step.ForgetLoss is { } loss && step.ForgetAccuracy is { } accuracy)
        {
            Loss.Record(loss, Forget);
            Accuracy.Record(100 * accuracy, Forget);
        }
    }

    /// <summary>A selection is done.</summary>
    /// <param name="share">Share of the parameters in scope that it trimmed, in [0,1].</param>
    internal static void Trimmed(double share) => TrimmedShare.Record(share);

    /// <summary>A stage begins.</summary>
    /// <param name="stage">The stage.</param>
    internal static void Begins(RunStage stage) =>
        Volatile.Write(ref _durableSince, stage is RunStage.Sensitivity or RunStage.Repair ? Stopwatch.GetTimestamp() : 0);

    /// <summary>No stage is at work any more.</summary>
    internal static void Ends() => Volatile.Write(ref _durableSince, 0);

    /// <summary>A checkpoint is durable.</summary>
    /// <param name="stage">The stage at work.</param>
    /// <param name="began">When writing it began (<see cref="Stopwatch.GetTimestamp"/>).</param>
    internal static void Checkpointed(RunStage stage, long began)
    {
        CheckpointTime.Record(Stopwatch.GetElapsedTime(began).TotalSeconds, StageTags[(int)stage]);
        Volatile.Write(ref _durableSince, Stopwatch.GetTimestamp());
    }

    /// <summary>The ranks' replicas are not alike.</summary>
    internal static void Drifted() => Drifts.Add(1);

    /// <summary>Something is done again.</summary>
    /// <param name="reason">Why, of the few words that the catalogue lists.</param>
    internal static void Retried(string reason) => Retries.Add(1, new KeyValuePair<string, object?>("reason", reason));

    private static IEnumerable<Measurement<double>> CheckpointAge()
    {
        var since = Volatile.Read(ref _durableSince);
        return since == 0 ? [] : [new Measurement<double>(Stopwatch.GetElapsedTime(since).TotalSeconds)];
    }
}
