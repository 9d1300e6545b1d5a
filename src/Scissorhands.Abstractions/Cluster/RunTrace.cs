using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Abstractions.Cluster;

/// <summary>How a run's repair has gone so far, in few enough points to be drawn: ranks tell of a step about twice a second.</summary>
[GenerateSerializer]
[Alias("scissorhands.run-trace")]
public sealed record RunTrace
{
    /// <summary>Steps by number; of a long repair not all that were told.</summary>
    [Id(0)]
    public IReadOnlyList<StepFigures> Steps { get; init; } = [];

    /// <summary>The ranks of the last generation, by rank.</summary>
    [Id(1)]
    public IReadOnlyList<RankTrace> Ranks { get; init; } = [];
}

/// <summary>Where a rank's time has gone in the repair steps that it told of.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="WorkerId">The worker.</param>
/// <param name="Told">Steps that were told of.</param>
/// <param name="Mean">Mean over these, in seconds a step.</param>
/// <param name="Last">The last of them.</param>
[GenerateSerializer]
[Alias("scissorhands.rank-trace")]
public sealed record RankTrace(int Rank, string WorkerId, int Told, StepTimes Mean, StepTimes Last);
