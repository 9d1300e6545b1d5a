using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Native;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Cluster;

/// <summary>
/// What a worker keeps of a run from one generation to the next: data, replica and what it has computed. Used on the
/// compute thread only.
/// </summary>
internal sealed class RunSession : IDisposable
{
    private readonly RunOrder _order;
    private readonly RunConfiguration _configuration;
    private readonly long _memoryBytes;
    private RunInputs? _inputs;
    private RunPlan? _plan;
    private RunWorker? _worker;

    /// <summary>Begins a session; loads nothing yet.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="order">What was submitted.</param>
    /// <param name="memoryBytes">What it may take of memory.</param>
    public RunSession(string runId, RunOrder order, long memoryBytes)
    {
        _memoryBytes = memoryBytes;
        RunId = runId;
        _order = order;
        _configuration = ConfigurationJson.Parse(order.Configuration, "configuration");
    }

    public string RunId { get; }

    /// <summary>Whether this process computes with other numerics than the run asks for.</summary>
    public bool NeedsAnotherProcess => NumericProfile.HoldsAnother(_configuration);

    /// <summary>Does one generation.</summary>
    /// <param name="assignment">The worker's place in it.</param>
    /// <param name="line">Its questions to the coordinator.</param>
    /// <param name="group">The workers of the generation.</param>
    /// <param name="time">The clock.</param>
    /// <param name="yield">Asks for a stop at the next durable point.</param>
    /// <param name="cancellationToken">Stops at once.</param>
    public void Work(GangAssigned assignment, CoordinatorLine line, ICollectiveGroup group, TimeProvider time, CancellationToken yield, CancellationToken cancellationToken)
    {
        var folder = new RunFolder(_order.Out);
        try
        {
            Load(cancellationToken);
            if (MemoryNeed.Refusal(assignment.WorkerId, _memoryBytes, _configuration, _plan!.Parameters, assignment.DataQueues.Count) is { } refusal)
            {
                var least = MemoryNeed.LeastWorkers(_memoryBytes, _configuration, _plan.Parameters, _order.Workers);
                Tell(line, new WorkerUnfit(assignment.RunId, assignment.Generation, assignment.Rank, refusal, least), cancellationToken);
                throw new CollectiveException(refusal);
            }

            if (assignment.Rank == 0)
            {
                RunClaim.Take(folder, _inputs!, _plan!);
                RunClaim.TakeForCluster(folder, RunId);
            }
        }
        catch (Exception e) when (e is not (OperationCanceledException or CollectiveException))
        {
            Fail(assignment, line, e, cancellationToken);
            throw;
        }

        line.AskAsync(WorkerCallKind.Ready, JsonSerializer.Serialize(_plan, RunStateJson.Options), cancellationToken).GetAwaiter().GetResult();
        using var events = assignment.Rank == 0 ? new RunEvents(folder, time) : null;
        _worker ??= new RunWorker(_inputs!, folder, _plan!.Hash());
        _worker.Run(new BusCoordinatorLink(line, events, time), group, yield, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _worker?.Dispose();
        _inputs?.Dispose();
    }

    private static void Fail(GangAssigned assignment, CoordinatorLine line, Exception e, CancellationToken cancellationToken)
    {
        Tell(line, new WorkerFailed(assignment.RunId, assignment.Generation, assignment.Rank, RunStage.EvaluateOriginal, e.Message, RunWorker.CauseOf(e), (e as InputException)?.Key), cancellationToken);
    }

    private static void Tell(CoordinatorLine line, WorkerReport report, CancellationToken cancellationToken) =>
        line.AskAsync(WorkerCallKind.Report, JsonSerializer.Serialize(report, RunStateJson.Options), cancellationToken).GetAwaiter().GetResult();

    private void Load(CancellationToken cancellationToken)
    {
        if (_plan is not null)
        {
            return;
        }

        NumericProfile.Apply(_configuration);
        var names = new InputNames(_order.Model, _order.Architecture, _order.Data, _order.TestData, _order.Forget, _order.Forgotten, _order.IgnoreUnknown, _order.Quarantine, _order.Withheld);
        _inputs ??= InputLoader.Load(names, _configuration, Silent.Instance, cancellationToken);
        _plan = RunClaim.Plan(_inputs);
    }

    private sealed class Silent : IInputProgress
    {
        public static Silent Instance { get; } = new();

        public void Data(string source, DataProgress progress)
        {
        }

        public void Say(string line)
        {
        }
    }
}
