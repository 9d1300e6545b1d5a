
namespace Scissorhands.Abstractions.Runs;

/// <summary>What stages are called on screen.</summary>
public static class StageNames
{
    /// <summary>A stage's name.</summary>
    /// <param name="stage">The stage.</param>
    /// <returns>Lower-case words.</returns>
    public static string Of(RunStage stage) => stage switch
    {
        RunStage.EvaluateOriginal => "evaluate original",
        RunStage.Sensitivity => "sensitivity",
        RunStage.Select => "select",
        RunStage.EvaluateTrimmed => "evaluate trimmed",
        RunStage.Repair => "repair",
        RunStage.EvaluateRepaired => "evaluate repaired",
        RunStage.Publish => "publish",
        RunStage.Report => "report",
        _ => "done",
    };
}
