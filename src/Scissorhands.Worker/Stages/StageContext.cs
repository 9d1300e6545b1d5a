using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Storage;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Stages;

/// <summary>What a stage works with on one worker: its assignment, its group, its replica and its line to the coordinator.</summary>
/// <param name="Assignment">What to do.</param>
/// <param name="Group">The workers of the generation.</param>
/// <param name="Inputs">What the run works on.</param>
/// <param name="Folder">The run's files.</param>
/// <param name="Link">The line to the coordinator.</param>
/// <param name="Model">The worker's replica and what it holds.</param>
/// <param name="StopRequested">Asks the stage to end at its next durable point, with an <see cref="OperationCanceledException"/>.</param>
/// <param name="CancellationToken">Ends every wait at once.</param>
public sealed record StageContext(
    StageAssignment Assignment,
    ICollectiveGroup Group,
    RunInputs Inputs,
    RunFolder Folder,
    ICoordinatorLink Link,
    ModelState Model,
    CancellationToken StopRequested,
    CancellationToken CancellationToken)
{
    /// <summary>The worker's copy of the model.</summary>
    public ModelReplica Replica => Model.Replica;

    /// <summary>What all workers of the run share of its durable state.</summary>
    public ICheckpointStore Checkpoints => Folder.Checkpoints;

    /// <summary>Whether this worker writes what only one may write.</summary>
    public bool IsFirst => Group.Rank == 0;

    /// <summary>Tells the coordinator something and waits until it has taken effect.</summary>
    /// <param name="report">The report.</param>
    public void Report(WorkerReport report) => Link.ReportAsync(report, CancellationToken).AsTask().GetAwaiter().GetResult();

    /// <summary>Tells how far the stage is.</summary>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all.</param>
    /// <param name="unit">"samples" or "steps".</param>
    /// <param name="loss">Current loss, or null.</param>
    public void Progress(long done, long total, string unit, double? loss = null) =>
        Report(new StageProgress(Assignment.RunId, Assignment.Generation, Group.Rank, Assignment.Stage, done, total, unit, loss));
}
