namespace Scissorhands.Abstractions.Runs;

/// <summary>
/// A worker's line to whoever coordinates the run: grains over the bus on a cluster, the same state machine in the same
/// process for <c>run</c>. Workers decide nothing; they ask what to do and tell what happened.
/// </summary>
public interface ICoordinatorLink
{
    /// <summary>Waits for the next stage of the run.</summary>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The assignment; its stage is <see cref="RunStage.Completed"/> when nothing is left.</returns>
    ValueTask<StageAssignment> NextAsync(CancellationToken cancellationToken);

    /// <summary>Asks for a sensitivity lease.</summary>
    /// <param name="generation">Generation of the assignment.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>A block, or the call to meet for a checkpoint, or that all is done.</returns>
    ValueTask<LeaseGrant> LeaseAsync(long generation, CancellationToken cancellationToken);

    /// <summary>Tells the coordinator what happened. Reports of an older generation are dropped.</summary>
    /// <param name="report">The report.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>A task that completes when the report has taken effect, durably where it carries a decision.</returns>
    ValueTask ReportAsync(WorkerReport report, CancellationToken cancellationToken);
}
