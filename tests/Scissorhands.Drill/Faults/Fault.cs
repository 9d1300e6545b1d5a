namespace Scissorhands.Drill.Faults;

/// <summary>How a struck run is to end.</summary>
public enum DrillEnd
{
    /// <summary>With the undisturbed run's answer.</summary>
    SameAnswer,

    /// <summary>Failed with a reason, and nothing half-written.</summary>
    CleanFailure,
}

/// <summary>Something that can happen to a cluster.</summary>
/// <param name="Name">What it is called on the command line.</param>
/// <param name="StrikeAsync">Does it.</param>
public sealed record Fault(string Name, Func<DrillCluster, Task> StrikeAsync)
{
    /// <summary>Whether it needs coordinators that share a PostgreSQL and a Redis.</summary>
    public bool Shared { get; init; }

    /// <summary>Coordinators. Default: 1.</summary>
    public int Coordinators { get; init; } = 1;

    /// <summary>Whether results go to a disk that can be filled.</summary>
    public bool OnSmallDisk { get; init; }

    /// <summary>How the run is to end.</summary>
    public DrillEnd End { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
