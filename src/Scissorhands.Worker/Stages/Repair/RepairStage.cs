namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// Repairs the trimmed model. Every worker computes its slices of each step, the leaves are summed along the fixed tree,
/// and every worker then applies the same update to its replica. A new generation goes on from the step that its workers
/// hold in memory.
/// </summary>
public sealed class RepairStage : IStageExecutor
{
    private readonly string _planHash;

    /// <summary>Creates the stage.</summary>
    /// <param name="planHash">Hash of the plan, written into checkpoints.</param>
    public RepairStage(string planHash)
    {
        _planHash = planHash;
    }

    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var state = context.Model.BeginRepair(context);
        using var exchange = new GradientExchange(context, state);
        var persistence = new RepairPersistence(context, state, exchange.Residuals, _planHash);
        var memories = new EpochMemories(context, state.Vectors);
        var step = new RepairStep(context, state, exchange);
        var schedule = context.Inputs.Schedule;
        var done = new RepairHandOver(context, state, exchange.Residuals).TryTakeUp() ?? persistence.Restore();
        context.Model.MarkUnknown();

        // Of a byte a parameter, and of no use to steps; whoever needs it again reads the file. Together with what earlier
        // stages have left it would stay until the next full collection, and steps make no garbage that brings one about.
        context.Model.Mask = null;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        while (done < schedule.TotalSteps)
        {
            var epoch = done / schedule.StepsPerEpoch;
            memories.Ensure(epoch);
            done = RunEpoch(context, step, persistence, epoch, done);
            state.DropFinishedEpoch();
        }

        persistence.Write(done);
        context.Model.MarkRepaired();
        return null;
    }

    private static int RunEpoch(StageContext context, RepairStep step, RepairPersistence persistence, int epoch, int done)
    {
        var inputs = context.Inputs;
        var first = done - (epoch * inputs.Schedule.StepsPerEpoch);
        using var stream = inputs.Augmented.Open(inputs.Schedule.Steps(epoch, first)
            .SelectMany(cut => cut.HeldBy(context.Group.Rank, context.Group.Size))
            .SelectMany(held => RepairStep.Requests(held.Slice, epoch)));
        foreach (var cut in inputs.Schedule.Steps(epoch, first))
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            var stop = step.Run(cut, done, persistence.Last, stream);
            done++;
            if (stop || done % inputs.Configuration.Checkpoint.EverySteps == 0 || done == inputs.Schedule.TotalSteps)
            {
                persistence.Write(done);
            }

            if (stop)
            {
                throw new OperationCanceledException(context.StopRequested);
            }
        }

        return done;
    }
}
