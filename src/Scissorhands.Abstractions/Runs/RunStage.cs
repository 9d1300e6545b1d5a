namespace Scissorhands.Abstractions.Runs;

/// <summary>The stages of a run, in order.</summary>
public enum RunStage
{
    /// <summary>The original model is evaluated.</summary>
    EvaluateOriginal,

    /// <summary>The forget set is scored, block by leased block.</summary>
    Sensitivity,

    /// <summary>The threshold is found and the mask gathered.</summary>
    Select,

    /// <summary>The trimmed model is evaluated.</summary>
    EvaluateTrimmed,

    /// <summary>The trimmed model is repaired by projected fine-tuning.</summary>
    Repair,

    /// <summary>The repaired model is evaluated.</summary>
    EvaluateRepaired,

    /// <summary>Model and mask are written under their final names.</summary>
    Publish,

    /// <summary>The report of the run is written.</summary>
    Report,

    /// <summary>Nothing is left to do.</summary>
    Completed,
}
