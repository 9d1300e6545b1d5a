using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Runs;

/// <summary>
/// Hosts a <see cref="RunMachine"/> in the process of its workers: the same decisions as on a cluster, without grains and
/// bus. Thread-safe; each worker talks to it through a link of its own.
/// </summary>
public sealed class LocalCoordinator
{
    private readonly Lock _lock = new();
    private readonly RunMachine _machine;
    private readonly IRunStateStore _store;
    private readonly TimeProvider _time;
    private readonly Action<WorkerReport> _observe;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _stageStarted;
    private bool _failed;

    /// <summary>Opens a new generation of the run and makes it durable.</summary>
    /// <param name="state">Stored or new state.</param>
    /// <param name="size">Workers.</param>
    /// <param name="store">Where the state is kept.</param>
    /// <param name="time">Measures the stages.</param>
    /// <param name="observe">Sees every report of this generation, in order; must be quick and must not throw.</param>
    public LocalCoordinator(RunState state, int size, IRunStateStore store, TimeProvider time, Action<WorkerReport> observe)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(time);
        _machine = new RunMachine(state, size);
        _store = store;
        _time = time;
        _observe = observe;
        _stageStarted = time.GetTimestamp();
        store.Write(_machine.State);
    }

    /// <summary>The run's state as it is now.</summary>
    public RunState State
    {
        get
        {
            lock (_lock)
            {
                return _machine.State;
            }
        }
    }

    /// <summary>The line of one worker.</summary>
    /// <param name="rank">Its rank.</param>
    /// <returns>The link.</returns>
    public ICoordinatorLink LinkFor(int rank) => new Link(this, rank);

    /// <summary>Asks the workers to stop at the next durable point.</summary>
    public void RequestStop()
    {
        lock (_lock)
        {
            _machine.RequestStop();
        }
    }

    private async ValueTask<StageAssignment> NextAsync(int rank, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_failed)
                {
                    // The stage this worker waits for the others in will never end.
                    throw new OperationCanceledException($"Run {_machine.State.RunId}: another worker has failed");
                }

                if (!_machine.IsWaiting(rank))
                {
                    return _machine.AssignmentFor(rank);
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
            return generation == _machine.State.Generation
                ? _machine.Lease()
                : throw new InvalidOperationException($"Generation {generation} of run {_machine.State.RunId} has ended");
        }
    }

    private void Report(WorkerReport report)
    {
        lock (_lock)
        {
            _failed |= report is WorkerFailed;
            var before = _machine.State.Stage;
            try
            {
                if (_machine.Apply(report))
                {
                    // With every durable point: what a killed process had worked until then stays counted.
                    RecordTime(before);
                    if (_machine.State.Stage == RunStage.Report && before == RunStage.Publish)
                    {
                        _machine.Finish(_time.GetUtcNow());
                    }

                    _store.Write(_machine.State);
                }
            }
            catch (IOException) when (report is WorkerFailed)
            {
                // The disk that cannot take the state may be why the worker failed: its reason must still be heard.
            }
            finally
            {
                var changed = _changed;
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                changed.SetResult();
            }

            _observe(report);
        }
    }

    private void RecordTime(RunStage stage)
    {
        var now = _time.GetTimestamp();
        _machine.AddSeconds(stage, _time.GetElapsedTime(_stageStarted, now).TotalSeconds);
        _stageStarted = now;
    }

    private sealed class Link(LocalCoordinator coordinator, int rank) : ICoordinatorLink
    {
        public ValueTask<StageAssignment> NextAsync(CancellationToken cancellationToken) => coordinator.NextAsync(rank, cancellationToken);

        public ValueTask<LeaseGrant> LeaseAsync(long generation, CancellationToken cancellationToken) => new(coordinator.Lease(generation));

        public ValueTask ReportAsync(WorkerReport report, CancellationToken cancellationToken)
        {
            coordinator.Report(report);
            return ValueTask.CompletedTask;
        }
    }
}
