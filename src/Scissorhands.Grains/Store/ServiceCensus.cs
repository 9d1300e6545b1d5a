namespace Scissorhands.Grains.Store;

/// <summary>What the store says of the service as a whole, at one moment.</summary>
public sealed record ServiceCensus
{
    /// <summary>Requests by the name of their state.</summary>
    public required IReadOnlyDictionary<string, int> Requests { get; init; }

    /// <summary>Open requests by how they stand to their deadline: onTime, atRisk, missed.</summary>
    public required IReadOnlyDictionary<string, int> Deadlines { get; init; }

    /// <summary>Seconds since the oldest open request was accepted; null where none is open.</summary>
    public double? OldestSeconds { get; init; }

    /// <summary>Seconds until the nearest deadline of an open request; null where none is open.</summary>
    public double? SlackSeconds { get; init; }

    /// <summary>Messages in the outbox.</summary>
    public required int OutboxPending { get; init; }

    /// <summary>Seconds since the oldest audit row that is under no head of the key; null where there is none.</summary>
    public double? UnsignedSeconds { get; init; }

    /// <summary>Open runs.</summary>
    public required IReadOnlyList<OpenRuns> Runs { get; init; }

    /// <summary>Figures of the versions in use.</summary>
    public required IReadOnlyList<ModelQuality> Models { get; init; }
}

/// <summary>Open runs of a pool.</summary>
/// <param name="Status">queued or running.</param>
/// <param name="Pool">The pool.</param>
/// <param name="Count">How many.</param>
public sealed record OpenRuns(string Status, string Pool, int Count);

/// <summary>Figures of a model's version in use, in percent.</summary>
/// <param name="Model">The model.</param>
/// <param name="Accuracy">Accuracy by set.</param>
/// <param name="Mia">Share of forgotten samples that the attack takes for non-members; null where it was not measured.</param>
/// <param name="Gap">Distance of accuracy on the forgotten samples from the reference; null where there is none.</param>
public sealed record ModelQuality(string Model, IReadOnlyDictionary<string, double> Accuracy, double? Mia, double? Gap);
