namespace Scissorhands.Grains.Store;

internal sealed class RunRow
{
    public required string RunId { get; set; }

    public long Version { get; set; }

    public RunStatus Status { get; set; }

    public required string Pool { get; set; }

    public required string ModelKey { get; set; }

    public required string OutputFolder { get; set; }

    public long SubmittedAt { get; set; }

    public long? Deadline { get; set; }

    public required string Order { get; set; }

    public string? State { get; set; }

    public string? Reason { get; set; }

    public long EventCount { get; set; }

    public StoredRun ToRun() => new()
    {
        RunId = RunId,
        Version = Version,
        Status = Status,
        Pool = Pool,
        ModelKey = ModelKey,
        OutputFolder = OutputFolder,
        SubmittedAt = new DateTimeOffset(SubmittedAt, TimeSpan.Zero),
        Deadline = Deadline is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null,
        Order = Order,
        State = State,
        Reason = Reason,
    };
}

internal sealed class EventRow
{
    public required string RunId { get; set; }

    public long Sequence { get; set; }

    public long Time { get; set; }

    public required string Name { get; set; }

    public string? Fields { get; set; }
}

/// <summary>Who made a version of a run, so that a writer who lost the answer finds out whether it was himself.</summary>
internal sealed class WriteRow
{
    public required string RunId { get; set; }

    public long Version { get; set; }

    public required string WriteId { get; set; }
}

internal sealed class MessageRow
{
    public long Id { get; set; }

    public required string Destination { get; set; }

    public required string Type { get; set; }

    public required string Body { get; set; }

    public string? Claimer { get; set; }

    public string? ClaimId { get; set; }

    public long? ClaimedUntil { get; set; }
}
