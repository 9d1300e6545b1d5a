using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Cluster;

/// <summary>What of a cluster's run is durable beside its order and status.</summary>
public sealed record ClusterRunState
{
    /// <summary>Version of this record.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The last generation that was formed; 0 before the first.</summary>
    public long Generation { get; init; }

    /// <summary>The plan as JSON, once a worker has made it.</summary>
    public string? Plan { get; init; }

    /// <summary>Whether all workers of a generation have accepted the inputs and the output folder, and it was told.</summary>
    public bool PlanAnnounced { get; init; }

    /// <summary>The state of the run's machine, once there is a plan.</summary>
    public RunState? Run { get; init; }

    /// <summary>Workers of the last generation, by rank: those that may still hold its state in memory.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Failures for reasons that may pass, since the last durable progress.</summary>
    public int Attempts { get; init; }

    /// <summary>For workers that cannot do the run alone: of how many a generation must be so that they can; <see cref="int.MaxValue"/> for never.</summary>
    public IReadOnlyDictionary<string, int> LeastWorkers { get; init; } = new Dictionary<string, int>();

    /// <summary>Where the run's trace goes on (W3C trace context); null where it is not traced.</summary>
    public string? Trace { get; init; }

    /// <summary>Whether the input is why the run failed.</summary>
    public bool BadInput { get; init; }

    /// <summary>The configuration key that is why the run failed; null where it is something else.</summary>
    public string? BadKey { get; init; }

    /// <summary>When the run ended, however (UTC); null while it is open.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How the repair has gone, for those who watch; null before.</summary>
    public RunTrace? Watched { get; init; }

    /// <summary>Writes the state.</summary>
    /// <returns>JSON.</returns>
    public string ToJson() => JsonSerializer.Serialize(this, RunStateJson.Options);

    /// <summary>Reads a state.</summary>
    /// <param name="json">What <see cref="ToJson"/> wrote, or null for a run that has not begun.</param>
    /// <returns>The state.</returns>
    public static ClusterRunState Parse(string? json) =>
        json is null ? new ClusterRunState() : JsonSerializer.Deserialize<ClusterRunState>(json, RunStateJson.Options) ?? new ClusterRunState();
}
