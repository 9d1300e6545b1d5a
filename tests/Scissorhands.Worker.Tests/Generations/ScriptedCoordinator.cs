using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>Stages in order, leases in windows, generations one after the other: as little of a coordinator as workers need.</summary>
internal sealed class ScriptedCoordinator(int blocks)
{
    private static readonly RunStage[] Script =
        [RunStage.Sensitivity, RunStage.Select, RunStage.EvaluateTrimmed, RunStage.Repair, RunStage.EvaluateRepaired, RunStage.Publish, RunStage.Completed];

    private readonly Lock _lock = new();
    private readonly List<WorkerReport> _reports = [];
    private readonly HashSet<int> _done = [];
    private readonly HashSet<int> _checkpointed = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _at;
    private int _size;
    private int _committed;
    private int _next;
    private int _windowEnd;
    private bool _broken;
    private string? _sensitivityCheckpoint;

    public long Generation { get; private set; }

    public string? RepairCheckpoint { get; private set; }

    public string? Published { get; private set; }

    public RunStage Stage => Script[_at];

    public IReadOnlyList<WorkerReport> Reports
    {
        get
        {
            lock (_lock)
            {
                return [.. _reports];
            }
        }
    }

    public void Begin(int size)
    {
        lock (_lock)
        {
            Generation++;
            (_size, _broken) = (size, false);
            _done.Clear();
            _at = Stage == RunStage.Select ? 0 : _at;
            OpenWindow();
        }
    }

    public ICoordinatorLink LinkFor(int rank) => new Link(this, rank, Generation);

    private void OpenWindow()
    {
        _checkpointed.Clear();
        _next = _committed;
        _windowEnd = Math.Min(blocks, _committed + 4);
    }

    private async ValueTask<StageAssignment> NextAsync(int rank, long generation, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                Check(generation);
                if (!_done.Contains(rank))
                {
                    return new StageAssignment("run", Generation, Stage, rank, _size, _committed, Stage == RunStage.Sensitivity ? _sensitivityCheckpoint : RepairCheckpoint);
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private LeaseGrant Lease(long generation)
    {
        lock (_lock)
        {
            Check(generation);
            return _committed == blocks ? new LeaseGrant(LeaseKind.Done, blocks)
                : _next < _windowEnd ? new LeaseGrant(LeaseKind.Block, _next++)
                : new LeaseGrant(LeaseKind.Checkpoint, _windowEnd);
        }
    }

    private void Report(WorkerReport report)
    {
        lock (_lock)
        {
            if (report.Generation != Generation)
            {
                return;
            }

            _reports.Add(report);
            switch (report)
            {
                case CheckpointWritten { Stage: RunStage.Sensitivity } written when _checkpointed.Add(written.Rank) && _checkpointed.Count == _size:
                    (_committed, _sensitivityCheckpoint) = (written.Progress, written.Name);
                    OpenWindow();
                    break;
                case CheckpointWritten { Stage: RunStage.Repair } written:
                    RepairCheckpoint = written.Name;
                    break;
                case StageDone done when done.Stage == Stage:
                    Published = done is { Stage: RunStage.Publish, Result: not null } ? done.Result : Published;
                    if (_done.Add(done.Rank) && _done.Count == _size)
                    {
                        _done.Clear();
                        _at++;
                    }

                    break;
                case GenerationBroken or WorkerFailed:
                    _broken = true;
                    break;
            }

            var changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.SetResult();
        }
    }

    private void Check(long generation)
    {
        if (_broken || generation != Generation)
        {
            throw new CollectiveException($"generation {generation} has ended");
        }
    }

    private sealed class Link(ScriptedCoordinator coordinator, int rank, long generation) : ICoordinatorLink
    {
        public ValueTask<StageAssignment> NextAsync(CancellationToken cancellationToken) => coordinator.NextAsync(rank, generation, cancellationToken);

        public ValueTask<LeaseGrant> LeaseAsync(long asked, CancellationToken cancellationToken) => new(coordinator.Lease(asked));

        public ValueTask ReportAsync(WorkerReport report, CancellationToken cancellationToken)
        {
            coordinator.Report(report);
            return ValueTask.CompletedTask;
        }
    }
}
