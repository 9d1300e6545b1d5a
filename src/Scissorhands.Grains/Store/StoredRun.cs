namespace Scissorhands.Grains.Store;

/// <summary>A run as it is stored.</summary>
public sealed record StoredRun
{
    /// <summary>Id of the run.</summary>
    public required string RunId { get; init; }

    /// <summary>How often it has been written.</summary>
    public long Version { get; init; }

    /// <summary>Where it stands.</summary>
    public RunStatus Status { get; init; }

    /// <summary>The pool of workers it is meant for.</summary>
    public required string Pool { get; init; }

    /// <summary>Names the model; runs of the same model exclude each other.</summary>
    public required string ModelKey { get; init; }

    /// <summary>Where its results go.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>When it was submitted.</summary>
    public DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When it is to be complete, where that matters.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>What was ordered, as JSON.</summary>
    public required string Order { get; init; }

    /// <summary>The state machine's state, as JSON.</summary>
    public string? State { get; init; }

    /// <summary>Why it has its status.</summary>
    public string? Reason { get; init; }
}
