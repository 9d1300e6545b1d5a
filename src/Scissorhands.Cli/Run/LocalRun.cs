using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Run;

/// <summary>
/// A run on one machine: coordinator and workers in this process, through the same state machine, leases, slices and
/// collectives as on a cluster.
/// </summary>
public sealed class LocalRun : IDisposable
{
    private readonly RunInputs _inputs;
    private readonly RunFolder _folder;
    private readonly TimeProvider _time;
    private readonly FileRunStateStore _store;
    private readonly FileStream _lock;

    private LocalRun(RunInputs inputs, RunFolder folder, RunPlan plan, RunState state, FileStream @lock, TimeProvider time)
    {
        _inputs = inputs;
        _folder = folder;
        _time = time;
        _lock = @lock;
        _store = new FileRunStateStore(folder.StatePath);
        Plan = plan;
        State = state;
    }

    /// <summary>The plan.</summary>
    public RunPlan Plan { get; }

    /// <summary>The run's state.</summary>
    public RunState State { get; private set; }

    /// <summary>Prepares a run in its folder, or picks one up.</summary>
    /// <param name="inputs">What the run works on.</param>
    /// <param name="folder">The output folder.</param>
    /// <param name="resume">Whether a run found there is continued.</param>
    /// <param name="time">The clock.</param>
    /// <returns>The run.</returns>
    /// <exception cref="InputException">The folder cannot be written, holds another run, or is in use.</exception>
    public static LocalRun Open(RunInputs inputs, RunFolder folder, bool resume, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(time);

        // On a compute thread of its own: the check leaves nothing of libtorch's thread state behind.
        RunPlan plan = null!;
        ComputeThread.Run("probe", () => plan = RunClaim.Plan(inputs)).GetAwaiter().GetResult();
        var hash = plan.Hash();
        if (!resume && (File.Exists(folder.StatePath) || File.Exists(folder.PlanPath)))
        {
            throw new InputException($"--out {folder.Path}: holds a run already; continue it with --resume or name an empty folder");
        }

        RunClaim.RefuseClusters(folder);
        RunClaim.RefuseForeign(folder);
        folder.Create();
        var @lock = Lock(folder);
        try
        {
            RunClaim.Take(folder, inputs, plan);
            var state = new FileRunStateStore(folder.StatePath).Read() ?? new RunState
            {
                RunId = hash[..16],
                PlanHash = hash,
                StartedAt = time.GetUtcNow(),
                Blocks = plan.SensitivityBlocks,
                WindowBlocks = Math.Max(1, inputs.Configuration.Checkpoint.EverySteps / inputs.Configuration.Sensitivity.BlockBatches),
            };
            return new LocalRun(inputs, folder, plan, state, @lock, time);
        }
        catch
        {
            @lock.Dispose();
            throw;
        }
    }

    /// <summary>Works until the run is complete.</summary>
    /// <param name="workers">Workers, each with a compute thread and a replica.</param>
    /// <param name="observe">Sees every report.</param>
    /// <param name="stopRequested">Asks the workers to stop at their next durable point.</param>
    /// <param name="cancellationToken">Stops at once.</param>
    /// <param name="overBroker">Whether the workers exchange over the broker, as those of a cluster do, instead of in memory.</param>
    /// <returns>A task that fails with what ended the run early.</returns>
    public async Task ExecuteAsync(int workers, Action<WorkerReport> observe, CancellationToken stopRequested, CancellationToken cancellationToken, bool overBroker = false)
    {
        var coordinator = new LocalCoordinator(State, workers, _store, _time, observe);
        await using var groups = overBroker
            ? await WorkerGroups.OverBrokerAsync(State.RunId, coordinator.State.Generation, workers, _inputs.Configuration.Wire.Authenticate, cancellationToken)
            : WorkerGroups.InProcess(State.RunId, coordinator.State.Generation, workers);
        using var registration = stopRequested.Register(coordinator.RequestStop);
        var tasks = groups.Ranks.Select(group =>
        {
            return ComputeThread.Run($"compute-{group.Rank}", () =>
            {
                using var worker = new RunWorker(_inputs, _folder, State.PlanHash);
                worker.Run(coordinator.LinkFor(group.Rank), group, stopRequested, cancellationToken);
            });
        }).ToArray();
        try
        {
            await Task.WhenAll(tasks);
        }
        catch (Exception)
        {
            // The first reason, not what it did to the others.
            var failures = tasks.Where(t => t.IsFaulted).Select(t => t.Exception!.InnerException!).ToArray();
            var first = Array.Find(failures, f => f is not CollectiveException) ?? (tasks.Any(t => t.IsCanceled) ? null : failures.FirstOrDefault());
            if (first is not null)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
            }

            throw new OperationCanceledException(stopRequested);
        }
        finally
        {
            State = coordinator.State;
        }
    }

    /// <inheritdoc />
    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(RunFolder folder)
    {
        try
        {
            return new FileStream(folder.LockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new InputException($"--out {folder.Path}: cannot be written ({e.Message})", e);
        }
        catch (IOException e)
        {
            throw new InputException($"--out {folder.Path}: another process is working on this run, or the folder cannot be written ({e.Message})", e);
        }
    }
}
