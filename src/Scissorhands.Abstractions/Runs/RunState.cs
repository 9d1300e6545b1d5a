
namespace Scissorhands.Abstractions.Runs;

/// <summary>The durable state of a run: what a coordinator that has died must know to go on.</summary>
public sealed record RunState
{
    /// <summary>Version of this record.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>Hash of the plan; a run is only ever continued with the same plan.</summary>
    public required string PlanHash { get; init; }

    /// <summary>Blocks of the sensitivity stage.</summary>
    public required int Blocks { get; init; }

    /// <summary>Blocks between two sensitivity checkpoints, at least.</summary>
    public required int WindowBlocks { get; init; }

    /// <summary>Grows with every start; fences everything that is late.</summary>
    public long Generation { get; init; }

    /// <summary>The stage that is under way.</summary>
    public RunStage Stage { get; init; }

    /// <summary>Sensitivity blocks that are durable: always the first so many.</summary>
    public int CommittedBlocks { get; init; }

    /// <summary>The last sensitivity checkpoint.</summary>
    public string? SensitivityCheckpoint { get; init; }

    /// <summary>The last repair checkpoint.</summary>
    public string? RepairCheckpoint { get; init; }

    /// <summary>Steps the last repair checkpoint holds.</summary>
    public int RepairSteps { get; init; }

    /// <summary>Results of finished stages, JSON by stage.</summary>
    public IReadOnlyDictionary<RunStage, string> Results { get; init; } = new Dictionary<RunStage, string>();

    /// <summary>Wall time of stages, in seconds, over all starts.</summary>
    public IReadOnlyDictionary<RunStage, double> Seconds { get; init; } = new Dictionary<RunStage, double>();

    /// <summary>When the run was first started (UTC).</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When its last stage was done (UTC); null until then.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Why the run failed; null while it has not.</summary>
    public string? Failure { get; init; }
}
