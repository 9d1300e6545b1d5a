using Scissorhands.Abstractions.Runs;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Html;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Stages;

/// <summary>Writes the run's report, for machines and for people, and delivers it with the results that it describes.</summary>
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
        var folder = context.Folder;
        Directory.CreateDirectory(folder.ResultsPath);
        ReportHtml.Write(report, Path.Combine(folder.ResultsPath, Path.GetFileName(folder.ReportHtmlPath)));
        ReportJson.Write(report, Path.Combine(folder.ResultsPath, Path.GetFileName(folder.ReportJsonPath)));

        // The report last: where it lies, everything lies that it speaks of.
        var results = StageJson.Read<PublishOutcome>(state.Results[RunStage.Publish]).Files.Keys.Order(StringComparer.Ordinal);
        folder.Deliver([.. results, Path.GetFileName(folder.ReportHtmlPath), Path.GetFileName(folder.ReportJsonPath)]);

        // Within the stage: whoever is lost now, the stage is done again, and nothing of the forget samples is left behind.
        folder.DeleteCheckpoints(context.CancellationToken);
        return null;
    }
}
