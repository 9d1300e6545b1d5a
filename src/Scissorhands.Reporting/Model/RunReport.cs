using Scissorhands.Planning.Configuration;

namespace Scissorhands.Reporting.Model;

/// <summary>
/// Everything a finished run says about itself, written to <c>report.json</c> and shown by <c>report.html</c>. Derived
/// figures (metrics, shares, gap) are computed from the measured ones and written along; reading computes them anew.
/// </summary>
public sealed record RunReport
{
    /// <summary>The version of this record tree that this program reads and writes.</summary>
    public const int CurrentSchemaVersion = 1;

    /// <summary>Version of the record tree.</summary>
    public int SchemaVersion { get; init; } = CurrentSchemaVersion;

    /// <summary>What was asked: the run, its inputs and their digests.</summary>
    public required RunIdentity Identity { get; init; }

    /// <summary>Where the run ran. Nothing in here influences the result but what the configuration names too.</summary>
    public required RunEnvironment Environment { get; init; }

    /// <summary>The resolved configuration, as in <c>config.json</c>.</summary>
    public required RunConfiguration Configuration { get; init; }

    /// <summary>What was selected and trimmed.</summary>
    public required TrimSummary Trim { get; init; }

    /// <summary>The model as it came in.</summary>
    public required ModelMeasurement Before { get; init; }

    /// <summary>The model with fresh values in the trimmed weights, not yet repaired.</summary>
    public required ModelMeasurement AfterTrim { get; init; }

    /// <summary>The model that was published.</summary>
    public required ModelMeasurement AfterRepair { get; init; }

    /// <summary>A model trained from scratch without the forget set, the yardstick; null where none was given.</summary>
    public ModelMeasurement? Retrained { get; init; }

    /// <summary>Mean distance in percentage points of the published model's UA, RA, TA and MIA from the retrained model's; null where one is missing.</summary>
    public double? AverageGap => AfterRepair.Percent.AverageGap(Retrained?.Percent);

    /// <summary>How the repair went.</summary>
    public required RepairSeries Repair { get; init; }

    /// <summary>Wall time per stage, in the order the stages ran.</summary>
    public required IReadOnlyList<StageTime> Stages { get; init; }

    /// <summary>
    /// What a reader must know about this run, one plain sentence each: a single sample was scored with normalisation
    /// layers in eval mode, the attack used a subset, and the like. No sample or subject ids.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The files the run leaves behind, with their digests.</summary>
    public required IReadOnlyList<ArtifactDigest> Artifacts { get; init; }
}
