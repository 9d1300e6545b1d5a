using Scissorhands.Abstractions.Runs;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Html;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Stages;

/// <summary>Writes the run's report, for machines and for people.</summary>
public sealed class ReportStage : IStageExecutor
{
    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!context.IsFirst)
        {
            return null;
        }

        var state = RunStateJson.Read(context.Assignment.State ?? throw new InvalidOperationException("The report needs the state of the run"));
        var report = ReportBuilder.Build(context.Inputs, context.Inputs.Plan(context.Replica.Parameters.Count), state, context.Folder, context.Group.Size, null);
        ReportHtml.Write(report, context.Folder.ReportHtmlPath);
        ReportJson.Write(report, context.Folder.ReportJsonPath);

        // Within the stage: whoever is lost now, the stage is done again, and nothing of the forget samples is left behind.
        context.Folder.DeleteCheckpoints();
        return null;
    }
}
