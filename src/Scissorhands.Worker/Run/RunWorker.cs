using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Stages;
using Scissorhands.Worker.Stages.Repair;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Run;

/// <summary>
/// A worker's life within a run: in each generation it asks for stages and does them until none is left or the generation
/// breaks. Replica and repair survive from one generation to the next. Belongs to one compute thread.
/// </summary>
public sealed class RunWorker : IDisposable
{
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    private readonly RunInputs _inputs;
    private readonly RunFolder _folder;
    private readonly string _planHash;
    private ModelState? _model;

    /// <summary>Creates a worker; the model is loaded with the first generation.</summary>
    /// <param name="inputs">What the run works on.</param>
    /// <param name="folder">The run's files.</param>
    /// <param name="planHash">Hash of the plan.</param>
    public RunWorker(RunInputs inputs, RunFolder folder, string planHash)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(folder);
        _inputs = inputs;
        _folder = folder;
        _planHash = planHash;
    }

    /// <summary>The replica and what was done to it; null before the first generation.</summary>
    internal ModelState? Model => _model;

    /// <summary>
    /// Works through one generation, until the run is complete; always on the same thread. However it ends early, the whole
    /// group is aborted, so that nobody waits for this worker.
    /// </summary>
    /// <param name="link">The line to the coordinator.</param>
    /// <param name="group">The workers of the generation; the caller disposes it.</param>
    /// <param name="stopRequested">Asks the worker to stop at its next durable point.</param>
    /// <param name="cancellationToken">Ends every wait at once; what is durable stays.</param>
    /// <exception cref="CollectiveException">The generation broke. The worker may be run again, with the next one's group.</exception>
    /// <exception cref="OperationCanceledException">The worker was asked to stop.</exception>
    public void Run(ICoordinatorLink link, ICollectiveGroup group, CancellationToken stopRequested, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(link);
        ArgumentNullException.ThrowIfNull(group);
        var stage = RunStage.EvaluateOriginal;
        var generation = group.Generation;
        try
        {
            _model ??= new ModelState(ReplicaFactory.Create(_inputs), _inputs.Configuration.Seed);
            _model.OwnedSums = null;
            while (true)
            {
                var assignment = link.NextAsync(cancellationToken).AsTask().GetAwaiter().GetResult();
                (stage, generation) = (assignment.Stage, assignment.Generation);
                if (stage == RunStage.Completed)
                {
                    return;
                }

                var context = new StageContext(assignment, group, _inputs, _folder, link, _model, stopRequested, cancellationToken);
                WorkerMeters.Begins(stage);
                using var span = WorkerMeters.Spans.StartActivity(StageNames.Of(stage))?.SetTag("run", assignment.RunId).SetTag("generation", assignment.Generation).SetTag("rank", group.Rank);
                Prepare(context);
                var result = ExecutorOf(stage).Execute(context);
                context.Report(new StageDone(assignment.RunId, assignment.Generation, group.Rank, stage, result));
            }
        }
        catch (CollectiveException e)
        {
            // First of all: nobody may wait for this worker, and nothing may touch the memory that it keeps.
            group.Abort(e);
            WorkerMeters.Retried("broken");
            TryReport(link, new GenerationBroken(group.RunId, generation, group.Rank, stage, e.Message));
            throw;
        }
        catch (OperationCanceledException e)
        {
            group.Abort(e);
            if (stopRequested.IsCancellationRequested)
            {
                TryReport(link, new Yielded(group.RunId, generation, group.Rank, stage));
            }

            throw;
        }
        catch (Exception e)
        {
            _model?.Lose();
            try
            {
                var reason = e is IOException ? $"{stage}: {e.Message}" : e.Message;
                link.ReportAsync(new WorkerFailed(group.RunId, generation, group.Rank, stage, reason, CauseOf(e), (e as InputException)?.Key), CancellationToken.None).AsTask().GetAwaiter().GetResult();
            }
            finally
            {
                // Whatever became of the report. After it, so that others, who fail because of this, do not hide the reason.
                group.Abort(e);
            }

            throw;
        }
        finally
        {
            WorkerMeters.Ends();
        }
    }

    /// <summary>Gives the replica and the repair's vectors back.</summary>
    public void Dispose()
    {
        _model?.Dispose();
        _model?.Replica.Dispose();
        _model = null;
    }

    /// <summary>What is not known to come again is worth another attempt: the machine may be at fault, not the run.</summary>
    /// <param name="e">What was thrown.</param>
    /// <returns>The cause.</returns>
    internal static FailureCause CauseOf(Exception e) => e switch
    {
        InputException => FailureCause.Input,
        RunFailedException { MayPass: false } => FailureCause.Lasting,
        _ => FailureCause.Passing,
    };

    private static void TryReport(ICoordinatorLink link, WorkerReport report)
    {
        using var deadline = new CancellationTokenSource(LastWords);
        try
        {
            link.ReportAsync(report, deadline.Token).AsTask().WaitAsync(deadline.Token).GetAwaiter().GetResult();
        }
        catch (Exception)
        {
            // Why the worker ends is what the caller is to hear, not that the line to the coordinator has gone as well.
        }
    }

    /// <summary>Brings the replica to where the stage begins, whatever it has gone through before.</summary>
    private void Prepare(StageContext context)
    {
        var (stage, model) = (context.Assignment.Stage, context.Model);
        if (stage is RunStage.EvaluateTrimmed or RunStage.Repair && model.Mask is null)
        {
            model.Mask = ParameterObjects.ReadMask(context.Checkpoints, context.Replica.Parameters, context.CancellationToken);
        }

        if (stage <= RunStage.Select)
        {
            model.EnsureOriginal(_inputs);
        }
        else if (stage is RunStage.EvaluateRepaired or RunStage.Publish)
        {
            EnsureRepaired(context);
        }
    }

    private void EnsureRepaired(StageContext context)
    {
        context.Model.ForgetRepair();
        if (context.Model.Moment == ModelMoment.Repaired)
        {
            return;
        }

        var name = context.Assignment.Checkpoint ?? throw new RunFailedException($"{context.Assignment.Stage} needs the repair's last checkpoint, and the run's state names none");
        using var checkpoint = RepairCheckpointReader.Open(context.Checkpoints, name, _planHash, context.CancellationToken);
        context.Model.MarkUnknown();
        checkpoint.RestoreModel(context.Replica);
        context.Model.MarkRepaired();
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
