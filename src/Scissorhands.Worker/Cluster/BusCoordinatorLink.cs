using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Cluster;

/// <summary>A rank's link to a coordinator on the other side of the bus. The first rank also writes down what happens.</summary>
internal sealed class BusCoordinatorLink : ICoordinatorLink
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    // More steps than this between two messages are so fast that those before tell nothing more.
    private const int MostFigures = 64;
    private readonly CoordinatorLine _line;
    private readonly RunEvents? _events;
    private readonly TimeProvider _time;
    private long _told;
    private readonly List<StepFigures> _figures = [];
    private StepTimes? _times;

    /// <summary>Creates the link.</summary>
    /// <param name="line">The questions of this generation.</param>
    /// <param name="events">Where the first rank writes; null on the others.</param>
    /// <param name="time">The clock.</param>
    public BusCoordinatorLink(CoordinatorLine line, RunEvents? events, TimeProvider time)
    {
        _line = line;
        _events = events;
        _time = time;
    }

    /// <inheritdoc/>
    public async ValueTask<StageAssignment> NextAsync(CancellationToken cancellationToken) =>
        Read<StageAssignment>(await _line.AskAsync(WorkerCallKind.Next, "", cancellationToken));

    /// <inheritdoc/>
    public async ValueTask<LeaseGrant> LeaseAsync(long generation, CancellationToken cancellationToken) =>
        Read<LeaseGrant>(await _line.AskAsync(WorkerCallKind.Lease, "", cancellationToken));

    /// <inheritdoc/>
    public async ValueTask ReportAsync(WorkerReport report, CancellationToken cancellationToken)
    {
        switch (report)
        {
            case RankTimes times:
                if (IsTime(times.Done >= times.Total))
                {
                    _line.Tell(new WorkerProgress(times.RunId, times.Generation, times.Rank, StageNames.Of(RunStage.Repair), times.Done, times.Total, "steps", null, times.Times));
                }

                return;
            case StepDone step:
                // Steps go on without a round trip; what they came to lies beside the checkpoints.
                _times = step.Times;
                if (_figures.Count == MostFigures)
                {
                    _figures.RemoveAt(0);
                }

                _figures.Add(new StepFigures(step.Step, step.RetainLoss, step.ForgetLoss, step.RetainAccuracy, step.ForgetAccuracy));
                _events?.Report(step);
                return;
            case StageProgress progress:
                if (IsTime(progress.Done >= progress.Total))
                {
                    var repair = progress.Stage == RunStage.Repair;
                    _line.Tell(new WorkerProgress(progress.RunId, progress.Generation, progress.Rank, StageNames.Of(progress.Stage), progress.Done, progress.Total, progress.Unit, progress.Loss, repair ? _times : null, repair ? [.. _figures] : null));
                    _figures.Clear();
                }

                return;
        }

        await _line.AskAsync(WorkerCallKind.Report, JsonSerializer.Serialize(report, RunStateJson.Options), cancellationToken);
        _events?.Report(report);
    }

    private bool IsTime(bool last)
    {
        var now = _time.GetTimestamp();
        if (!last && _told != 0 && _time.GetElapsedTime(_told, now) < ProgressInterval)
        {
            return false;
        }

        _told = now;
        return true;
    }

    private static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, RunStateJson.Options) ?? throw new JsonException("the coordinator's answer is empty");
}
