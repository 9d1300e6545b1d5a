namespace Scissorhands.Drill.Faults;

/// <summary>The stages that a fault can strike.</summary>
public enum DrillStage
{
    /// <summary>From the submission to the first lease: inputs, plan, the original model's evaluation.</summary>
    Plan,

    /// <summary>Leases of sensitivity.</summary>
    Sensitivity,

    /// <summary>Threshold and mask.</summary>
    Select,

    /// <summary>Fresh weights and their evaluation.</summary>
    Trim,

    /// <summary>Repair steps.</summary>
    Repair,

    /// <summary>Evaluation of the repaired model.</summary>
    Evaluate,

    /// <summary>Results and report.</summary>
    Publish,
}
