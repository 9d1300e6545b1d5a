using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages;

namespace Scissorhands.Cli.Run;

/// <summary>Evaluates one model on a run's data, outside a run, with the stage that runs use.</summary>
public static class LocalEvaluation
{
    /// <summary>Finds out whether a model loads and fits the data, before anything long is begun.</summary>
    /// <param name="inputs">Data and configuration.</param>
    /// <param name="modelPath">The model.</param>
    /// <returns>A task that fails with what is wrong.</returns>
    /// <exception cref="Planning.InputException">The model does not load, or does not fit.</exception>
    public static Task CheckAsync(RunInputs inputs, string modelPath) => ComputeThread.Run("probe", () =>
    {
        using var replica = ReplicaFactory.Create(inputs, modelPath, checkLabels: true);
    });

    /// <summary>Evaluates a model.</summary>
    /// <param name="inputs">Data and configuration.</param>
    /// <param name="modelPath">The model.</param>
    /// <param name="workers">Workers.</param>
    /// <param name="observe">Sees the progress.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>The evaluation.</returns>
    public static async Task<EvaluationResult> ExecuteAsync(RunInputs inputs, string modelPath, int workers, Action<WorkerReport> observe, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var groups = InProcessGroup.Create("evaluation", 1, workers);
        string? result = null;
        var tasks = groups.Select(group => ComputeThread.Run($"compute-{group.Rank}", () =>
        {
            try
            {
                using var replica = ReplicaFactory.Create(inputs, modelPath, checkLabels: group.Rank == 0);
                var assignment = new StageAssignment("evaluation", 1, RunStage.EvaluateOriginal, group.Rank, workers, 0, null);
                var context = new StageContext(assignment, group, inputs, new RunFolder("."), new ObservedLink(observe), new ModelState(replica, inputs.Configuration.Seed), cancellationToken, cancellationToken);
                result = new EvaluationStage(trimmed: false).Execute(context) ?? result;
            }
            catch (Exception e)
            {
                group.Abort(e);
                throw;
            }
        })).ToArray();
        try
        {
            await Task.WhenAll(tasks);
        }
        catch (CollectiveException)
        {
            // Another worker's failure came first; that one says why.
            var first = tasks.Where(t => t.IsFaulted).Select(t => t.Exception!.InnerException!).FirstOrDefault(e => e is not CollectiveException);
            if (first is not null)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
            }

            throw;
        }

        return StageJson.Read<EvaluationResult>(result!);
    }

    private sealed class ObservedLink(Action<WorkerReport> observe) : ICoordinatorLink
    {
        public ValueTask<StageAssignment> NextAsync(CancellationToken cancellationToken) => throw new NotSupportedException("An evaluation is one stage");

        public ValueTask<LeaseGrant> LeaseAsync(long generation, CancellationToken cancellationToken) => throw new NotSupportedException("An evaluation has no leases");

        public ValueTask ReportAsync(WorkerReport report, CancellationToken cancellationToken)
        {
            observe(report);
            return ValueTask.CompletedTask;
        }
    }
}
