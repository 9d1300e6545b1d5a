using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Stages;
using Scissorhands.Worker.Stages.Repair;
using TorchSharp;

namespace Scissorhands.Worker.Run;

/// <summary>
/// A worker's life within one generation of a run: asks for stages and does them until none is left. Runs on one compute
/// thread, which owns the replica.
/// </summary>
public sealed class RunWorker
{
    private readonly RunInputs _inputs;
    private readonly RunFolder _folder;
    private readonly ICoordinatorLink _link;
    private readonly ICollectiveGroup _group;
    private readonly string _planHash;

    /// <summary>Creates a worker.</summary>
    /// <param name="inputs">What the run works on.</param>
    /// <param name="folder">The run's files.</param>
    /// <param name="planHash">Hash of the plan.</param>
    /// <param name="link">The line to the coordinator.</param>
    /// <param name="group">The workers of the generation.</param>
    public RunWorker(RunInputs inputs, RunFolder folder, string planHash, ICoordinatorLink link, ICollectiveGroup group)
    {
        _inputs = inputs;
        _folder = folder;
        _planHash = planHash;
        _link = link;
        _group = group;
    }

    /// <summary>Works until the run is complete. A failure aborts the whole group, so that nobody waits for this worker.</summary>
    /// <param name="stopRequested">Asks the worker to stop at its next durable point.</param>
    /// <param name="cancellationToken">Ends every wait at once; what is durable stays.</param>
    public void Run(CancellationToken stopRequested, CancellationToken cancellationToken)
    {
        var stage = RunStage.EvaluateOriginal;
        long generation = _group.Generation;
        ModelReplica? replica = null;
        try
        {
            replica = ReplicaFactory.Create(_inputs);
            var model = new ModelState(replica, _inputs.Configuration.Seed);
            while (true)
            {
                var assignment = _link.NextAsync(cancellationToken).AsTask().GetAwaiter().GetResult();
                (stage, generation) = (assignment.Stage, assignment.Generation);
                if (stage == RunStage.Completed)
                {
                    return;
                }

                var context = new StageContext(assignment, _group, _inputs, _folder, _link, model, stopRequested, cancellationToken);
                Prepare(context);
                var result = ExecutorOf(stage).Execute(context);
                context.Report(new StageDone(assignment.RunId, assignment.Generation, _group.Rank, stage, result));
            }
        }
        catch (Exception e)
        {
            try
            {
                // A worker that fails because another one did must not hide the first reason.
                if (e is not (OperationCanceledException or CollectiveException))
                {
                    var reason = e is IOException ? $"{stage}: {e.Message}" : e.Message;
                    _link.ReportAsync(new WorkerFailed(_group.RunId, generation, _group.Rank, stage, reason, e is InputException), CancellationToken.None).AsTask().GetAwaiter().GetResult();
                }
            }
            finally
            {
                // Whatever became of the report: nobody may wait for this worker.
                _group.Abort(e);
            }

            throw;
        }
        finally
        {
            // Only now: an operation whose wait was given up reads the replica's memory until the group has been aborted.
            replica?.Dispose();
        }
    }

    /// <summary>Brings a worker that has not lived through the stages before to where this one begins.</summary>
    private void Prepare(StageContext context)
    {
        var stage = context.Assignment.Stage;
        if (stage >= RunStage.EvaluateTrimmed && context.Model.Mask is null)
        {
            context.Model.Mask = ParameterFiles.ReadMask(_folder.WorkMaskPath, context.Replica.Parameters);
        }

        if (stage > RunStage.Repair && context.Model.Moment != ModelMoment.Repaired)
        {
            var name = context.Assignment.Checkpoint ?? throw new RunFailedException($"{stage} needs the repair's last checkpoint, and the run's state names none");
            using var checkpoint = RepairCheckpointReader.Open(_folder, name, _planHash);
            checkpoint.RestoreModel(context.Replica);
            context.Model.MarkRepaired();
        }
    }

    private IStageExecutor ExecutorOf(RunStage stage) => stage switch
    {
        RunStage.EvaluateOriginal => new EvaluationStage(trimmed: false),
        RunStage.Sensitivity => new SensitivityStage(),
        RunStage.Select => new SelectStage(),
        RunStage.EvaluateTrimmed => new EvaluationStage(trimmed: true),
        RunStage.Repair => new RepairStage(_planHash),
        RunStage.EvaluateRepaired => new EvaluationStage(trimmed: false),
        RunStage.Publish => new PublishStage(),
        RunStage.Report => new ReportStage(),
        _ => throw new InvalidOperationException($"Stage {stage} is not known to this worker"),
    };
}
