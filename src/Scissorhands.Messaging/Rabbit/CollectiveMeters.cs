using System.Diagnostics;
using System.Diagnostics.Metrics;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>Instruments of the collectives. No run, generation, step or rank is a tag: those belong into traces and logs.</summary>
public static class CollectiveMeters
{
    /// <summary>Name of the meter and of the source of spans.</summary>
    public const string Name = "Scissorhands.Collectives";

    private static readonly Meter Meter = new(Name);
    private static readonly InstrumentAdvice<double> Times = new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] };
    private static readonly Counter<long> SentBytes = Meter.CreateCounter<long>("scissorhands.collective.sent", "By", "Payload handed to the broker.");
    private static readonly Counter<long> ReceivedBytes = Meter.CreateCounter<long>("scissorhands.collective.received", "By", "Payload taken from the broker.");
    private static readonly Counter<long> SentFrames = Meter.CreateCounter<long>("scissorhands.collective.frames.sent", "{frame}", "Frames handed to the broker.");
    private static readonly Counter<long> DroppedFrames = Meter.CreateCounter<long>("scissorhands.collective.frames.dropped", "{frame}", "Frames dropped, by reason.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram(
        "scissorhands.collective.duration",
        "s",
        "From a rank's start of an operation to its end.",
        advice: Times);

    private static readonly Histogram<double> Waiting = Meter.CreateHistogram(
        "scissorhands.collective.wait",
        "s",
        "From a rank's start of an operation to the first frame of the slowest rank.",
        advice: Times);

    private static readonly KeyValuePair<string, object?>[] FormatTags = [.. Enum.GetValues<WireFormat>().Select(static format => new KeyValuePair<string, object?>("format", format.ToString().ToLowerInvariant()))];

    /// <summary>Spans of operations.</summary>
    internal static ActivitySource Spans { get; } = new(Name);

    internal static void Sent(int payloadBytes, WireFormat format)
    {
        SentFrames.Add(1);
        SentBytes.Add(payloadBytes, FormatTags[(int)format]);
    }

    internal static void Received(int payloadBytes, WireFormat format) => ReceivedBytes.Add(payloadBytes, FormatTags[(int)format]);

    internal static void Dropped(string reason) => DroppedFrames.Add(1, new KeyValuePair<string, object?>("reason", reason));

    internal static void Completed(string operation, TimeSpan duration, string outcome) =>
        Duration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("operation", operation), new KeyValuePair<string, object?>("outcome", outcome));

    internal static void Waited(string operation, TimeSpan duration) => Waiting.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("operation", operation));
}
