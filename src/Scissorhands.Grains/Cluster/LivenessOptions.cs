namespace Scissorhands.Grains.Cluster;

/// <summary>How patient the coordinator is.</summary>
public sealed record LivenessOptions
{
    /// <summary>How often workers give a sign of life. Default: 2 s. The same on coordinators and workers.</summary>
    public TimeSpan BeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A worker silent for this long is lost. Default: 6 s.</summary>
    public TimeSpan LostAfter { get; init; } = TimeSpan.FromSeconds(6);

    /// <summary>How long a new generation waits for the workers of the former one to give a sign of life. Default: 3 s.</summary>
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How often open runs are looked for in the store, so that one whose host was lost goes on. Default: 3 s.</summary>
    public TimeSpan WakeInterval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long workers may take to come to a durable point before their generation is ended without one. Default: 2 min.</summary>
    public TimeSpan YieldTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How often a stage is tried again where a worker failed for a reason that may pass. Default: 3.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>Checks the settings.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Validate()
    {
        if (BeatInterval <= TimeSpan.Zero || SettleTime <= TimeSpan.Zero || WakeInterval <= TimeSpan.Zero || YieldTimeout <= TimeSpan.Zero)
        {
            throw new ArgumentException($"{nameof(BeatInterval)}, {nameof(SettleTime)}, {nameof(WakeInterval)} and {nameof(YieldTimeout)} must be positive.");
        }

        if (LostAfter < 2 * BeatInterval)
        {
            throw new ArgumentException($"{nameof(LostAfter)} is {LostAfter}; it must be at least twice {nameof(BeatInterval)}, {BeatInterval}: a single sign of life may be late.");
        }

        if (MaxAttempts < 1)
        {
            throw new ArgumentException($"{nameof(MaxAttempts)} is {MaxAttempts}; it must be at least 1.");
        }
    }
}
