using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Samples;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Progress;

/// <summary>One JSON object a line, for machines.</summary>
public sealed class JsonProgress : IRunProgress
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
    private readonly Lock _lock = new();
    private readonly TextWriter _output;

    /// <summary>Creates the progress.</summary>
    /// <param name="output">Where lines go.</param>
    public JsonProgress(TextWriter output)
    {
        _output = output;
    }

    /// <inheritdoc />
    public void Data(string source, DataProgress progress) =>
        Write(new { @event = "data", source, activity = progress.Activity, done = progress.Done, total = progress.Total });

    /// <inheritdoc />
    public void Report(WorkerReport report, string? stage = null)
    {
        switch (report)
        {
            case StageProgress p:
                Write(new { @event = "progress", stage = stage ?? StageNames.Of(p.Stage), worker = p.Rank, done = p.Done, total = p.Total, unit = p.Unit, loss = p.Loss });
                break;
            case CheckpointWritten c:
                Write(new { @event = "checkpoint", stage = StageNames.Of(c.Stage), worker = c.Rank, name = c.Name });
                break;
            case StageDone { Rank: 0 } d:
                Write(new { @event = "stage-done", stage = StageNames.Of(d.Stage) });
                break;
            case WorkerFailed f:
                Write(new { @event = "failed", stage = StageNames.Of(f.Stage), worker = f.Rank, reason = f.Reason });
                break;
        }
    }

    /// <inheritdoc />
    public void Say(string line) => Write(new { @event = "message", text = line });

    /// <inheritdoc />
    public void Completed(RunReport report, RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(folder);
        Write(new
        {
            @event = "completed",
            run = report.Identity.RunId,
            report = folder.ReportJsonPath,
            html = folder.ReportHtmlPath,
            before = report.Before.Percent,
            afterRepair = report.AfterRepair.Percent,
            retrained = report.Retrained?.Percent,
            averageGap = report.AverageGap,
            artifacts = report.Artifacts,
        });
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Write<T>(T value)
    {
        lock (_lock)
        {
            _output.WriteLine(JsonSerializer.Serialize(value, Options));
            _output.Flush();
        }
    }
}
