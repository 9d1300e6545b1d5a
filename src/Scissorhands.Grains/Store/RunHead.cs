namespace Scissorhands.Grains.Store;

/// <summary>A run without what makes it large: its order and the state of its machine.</summary>
public sealed record RunHead
{
    /// <summary>Id of the run.</summary>
    public required string RunId { get; init; }

    /// <summary>How often it has been written; what it was at a version never changes.</summary>
    public long Version { get; init; }

    /// <summary>Where it stands.</summary>
    public RunStatus Status { get; init; }

    /// <summary>The pool of workers it is meant for.</summary>
    public required string Pool { get; init; }

    /// <summary>Where its results go.</summary>
    public required string OutputFolder { get; init; }

    /// <summary>When it was submitted.</summary>
    public DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When it is to be complete, where that matters.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Why it has its status.</summary>
    public string? Reason { get; init; }

    /// <summary>The head of a run.</summary>
    /// <param name="run">The run.</param>
    public static RunHead Of(StoredRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return new RunHead
        {
            RunId = run.RunId,
            Version = run.Version,
            Status = run.Status,
            Pool = run.Pool,
            OutputFolder = run.OutputFolder,
            SubmittedAt = run.SubmittedAt,
            Deadline = run.Deadline,
            Reason = run.Reason,
        };
    }
}
