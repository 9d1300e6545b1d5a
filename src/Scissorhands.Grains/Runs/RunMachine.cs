using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Runs;

/// <summary>
/// The decisions of a run: stages in order, leases in windows, what is durable. A plain object, fed with reports and asked
/// for assignments; its hosts (a grain on a cluster, <see cref="LocalCoordinator"/> in one process) keep its state durable.
/// </summary>
public sealed class RunMachine
{
    private readonly int _size;
    private readonly HashSet<int> _checkpointed = [];
    private readonly HashSet<int> _done = [];
    private int _nextBlock;
    private int _windowEnd;
    private bool _stopping;

    /// <summary>Starts a new generation over durable state.</summary>
    /// <param name="state">State as it was stored, or of a new run.</param>
    /// <param name="size">Workers of this generation.</param>
    public RunMachine(RunState state, int size)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        _size = size;

        // The saliency between the last block and the mask lives in the owners' memory: a new generation rebuilds it
        // from the last sensitivity checkpoint, which by then holds all blocks.
        var stage = state.Stage == RunStage.Select ? RunStage.Sensitivity : state.Stage;
        State = state with { Generation = state.Generation + 1, Stage = stage, Failure = null };
        OpenWindow();
    }

    /// <summary>The state to store; changes only where <see cref="Apply"/> says so.</summary>
    public RunState State { get; private set; }

    /// <summary>Sensitivity leases: not handed out, handed out and not durable, durable.</summary>
    public (int Open, int Out, int Done) Leases => (State.Blocks - Math.Max(_nextBlock, State.CommittedBlocks), Math.Max(0, _nextBlock - State.CommittedBlocks), State.CommittedBlocks);

    /// <summary>Whether nothing is left to do.</summary>
    public bool IsCompleted => State.Stage == RunStage.Completed;

    /// <summary>Whether a rank has finished its part of the current stage and waits for the others.</summary>
    /// <param name="rank">The worker.</param>
    /// <returns>True while it must wait.</returns>
    public bool IsWaiting(int rank) => _done.Contains(rank);

    /// <summary>What a rank is to do now.</summary>
    /// <param name="rank">The worker.</param>
    /// <returns>The assignment.</returns>
    public StageAssignment AssignmentFor(int rank) => new(
        State.RunId,
        State.Generation,
        State.Stage,
        rank,
        _size,
        State.CommittedBlocks,
        State.Stage is RunStage.Sensitivity ? State.SensitivityCheckpoint
            : State.Stage >= RunStage.Repair ? State.RepairCheckpoint : null,
        State.Stage == RunStage.Report ? RunStateJson.Write(State) : null);

    /// <summary>Hands out sensitivity leases: in order, within a window that ends with a checkpoint.</summary>
    /// <returns>The grant.</returns>
    public LeaseGrant Lease()
    {
        if (State.CommittedBlocks == State.Blocks)
        {
            return new LeaseGrant(LeaseKind.Done, State.Blocks);
        }

        if (_stopping && State.CommittedBlocks == _windowEnd)
        {
            return new LeaseGrant(LeaseKind.Stop, _windowEnd);
        }

        return _nextBlock < _windowEnd
            ? new LeaseGrant(LeaseKind.Block, _nextBlock++)
            : new LeaseGrant(LeaseKind.Checkpoint, _windowEnd);
    }

    /// <summary>Lets nobody begin another block: the window ends with those handed out, and with their checkpoint.</summary>
    public void RequestStop()
    {
        _stopping = true;
        _windowEnd = Math.Max(State.CommittedBlocks, _nextBlock);
    }

    /// <summary>Takes a report in.</summary>
    /// <param name="report">The report; one of an older generation changes nothing.</param>
    /// <returns>Whether <see cref="State"/> changed and must be stored before the reporter is answered.</returns>
    public bool Apply(WorkerReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (report.Generation != State.Generation || report.RunId != State.RunId)
        {
            return false;
        }

        switch (report)
        {
            case CheckpointWritten { Stage: RunStage.Sensitivity } written:
                return CommitBlocks(written);
            case CheckpointWritten { Stage: RunStage.Repair } written when written.Progress < State.RepairSteps:
                return false;
            case CheckpointWritten { Stage: RunStage.Repair } written:
                State = State with { RepairCheckpoint = written.Name, RepairSteps = written.Progress };
                return true;
            case StageDone done when done.Stage == State.Stage:
                return FinishStage(done);
            case WorkerFailed failed:
                State = State with { Failure = failed.Reason };
                return true;
            case StageProgress or StepDone or RankTimes or StageDone or GenerationBroken or Yielded:
                return false;
            default:
                throw new InvalidOperationException($"Run {State.RunId}: report {report.GetType().Name} of stage {State.Stage} has no meaning here");
        }
    }

    /// <summary>Adds to a stage's wall time; stored with the next change.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="seconds">Seconds to add.</param>
    public void AddSeconds(RunStage stage, double seconds) =>
        State = State with { Seconds = new Dictionary<RunStage, double>(State.Seconds) { [stage] = State.Seconds.GetValueOrDefault(stage) + seconds } };

    /// <summary>Notes when the last stage was done; stored with the next change.</summary>
    /// <param name="time">The time (UTC).</param>
    public void Finish(DateTimeOffset time) => State = State with { FinishedAt = time };

    private bool CommitBlocks(CheckpointWritten written)
    {
        if (written.Progress != _windowEnd || !_checkpointed.Add(written.Rank) || _checkpointed.Count < _size)
        {
            return false;
        }

        // Durable only now that every owner holds its range.
        State = State with { CommittedBlocks = _windowEnd, SensitivityCheckpoint = written.Name };
        OpenWindow();
        return true;
    }

    private bool FinishStage(StageDone done)
    {
        _done.Add(done.Rank);
        if (done.Result is not null)
        {
            State = State with { Results = new Dictionary<RunStage, string>(State.Results) { [done.Stage] = done.Result } };
        }

        if (_done.Count < _size)
        {
            return false;
        }

        _done.Clear();
        State = State with { Stage = State.Stage + 1 };
        return true;
    }

    private void OpenWindow()
    {
        _checkpointed.Clear();
        _nextBlock = State.CommittedBlocks;
        _windowEnd = _stopping
            ? State.CommittedBlocks
            : (int)Math.Min(State.Blocks, (long)State.CommittedBlocks + Math.Max(State.WindowBlocks, 2 * _size));
    }
}
