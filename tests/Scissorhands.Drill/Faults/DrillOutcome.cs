namespace Scissorhands.Drill.Faults;

/// <summary>How a case has ended.</summary>
public enum DrillVerdict
{
    /// <summary>With the undisturbed run's answer.</summary>
    SameAnswer,

    /// <summary>Failed with a reason and nothing half-written, where nothing else is possible.</summary>
    CleanFailure,

    /// <summary>In any other way.</summary>
    Failed,

    /// <summary>Not at all: this machine lacks something.</summary>
    Skipped,
}

/// <summary>What became of a case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Verdict">How it ended.</param>
/// <param name="Struck">The stage that the run was in when it was struck; a short stage may have been over by then.</param>
/// <param name="Pause">The longest time without progress from then on.</param>
/// <param name="Detail">The reason, or what all processes said.</param>
public sealed record DrillOutcome(DrillCase Case, DrillVerdict Verdict, DrillStage Struck, TimeSpan Pause, string Detail);
