using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;

namespace Scissorhands.Grains.Cluster;

/// <summary>
/// Hosts a <see cref="ClusterRun"/>: writes what it decides, then sends it. Where writing fails, what is in memory is no
/// longer true: the grain ends and is read from the store again; whoever asked asks again.
/// </summary>
public sealed partial class RunGrain : Grain, IRunGrain
{
    private readonly IRunStore _store;
    private readonly IWorkerCommandSink _commands;
    private readonly TimeProvider _time;
    private readonly LivenessOptions _options;
    private readonly ILogger<RunGrain> _logger;
    private StoredRun? _stored;
    private RunOrder? _order;
    private ClusterRun? _run;
    private string? _waits;
    private string? _behind;

    /// <summary>Creates the grain.</summary>
    /// <param name="store">The store of truth.</param>
    /// <param name="commands">The way to the workers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="options">How patient the coordinator is.</param>
    /// <param name="logger">The log.</param>
    public RunGrain(IRunStore store, IWorkerCommandSink commands, TimeProvider time, LivenessOptions options, ILogger<RunGrain> logger)
    {
        _store = store;
        _commands = commands;
        _time = time;
        _options = options;
        _logger = logger;
    }

    private string RunId => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (await _store.ReadAsync(RunId, cancellationToken) is { } stored)
        {
            Take(stored);
        }

        this.RegisterGrainTimer(TickAsync, new GrainTimerCreationOptions(_options.BeatInterval, _options.BeatInterval) { Interleave = false });
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        RunMeters.Forget(RunId);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task<SubmitOutcome> SubmitAsync(RunOrder order)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (_run is { } known)
        {
            if (known.Status is RunStatus.Failed or RunStatus.Canceled)
            {
                try
                {
                    (_waits, _behind) = (null, null);
                    await ApplyAsync(known.Reopen());
                }
                catch (RunConflictException)
                {
                    return await FolderTakenAsync(order);
                }
            }

            return new SubmitOutcome(true, false, known.Status == RunStatus.Queued ? await QueuedAsync() : null);
        }

        var fresh = new StoredRun
        {
            RunId = RunId,
            Status = RunStatus.Queued,
            Pool = order.Pool,
            ModelKey = order.Model,
            OutputFolder = order.Out,
            SubmittedAt = _time.GetUtcNow(),
            Deadline = order.Deadline,
            Order = JsonSerializer.Serialize(order, RunStateJson.Options),
            State = new ClusterRunState { Trace = Activity.Current?.Id }.ToJson(),
        };
        try
        {
            var (stored, created) = await _store.CreateAsync(fresh, [new NewEvent(_time.GetUtcNow(), "submitted", null)], CancellationToken.None);
            Take(stored);
            LogSubmitted(RunId, order.Pool);
            TellPool();
            return new SubmitOutcome(true, created, await QueuedAsync());
        }
        catch (RunConflictException)
        {
            return await FolderTakenAsync(order);
        }
    }

    /// <inheritdoc/>
    public Task<RunView?> ViewAsync() => Task.FromResult(_run is null ? null : View(_run));

    /// <inheritdoc/>
    public Task<RunTrace> TraceAsync() => Task.FromResult(_run?.Trace ?? new RunTrace());

    /// <inheritdoc/>
    public async Task<bool> CancelAsync(string reason)
    {
        if (_run is not { IsOpen: true } run)
        {
            return false;
        }

        (_waits, _behind) = (null, null);
        await ApplyAsync(run.Cancel(reason));
        return true;
    }

    /// <inheritdoc/>
    public async Task CallAsync(WorkerCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (_run is null)
        {
            _commands.Send(new WorkerAnswer { WorkerId = call.WorkerId, RunId = call.RunId, Generation = call.Generation, Number = call.Number, Fenced = true });
            return;
        }

        await ApplyAsync(_run.Handle(call));
    }

    /// <inheritdoc/>
    public Task ProgressAsync(WorkerProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        if (_run is { } run)
        {
            run.Note(progress);
            RunMeters.Heard(RunId, run.Skew);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task WakeAsync()
    {
        if (_run is { IsOpen: true })
        {
            _behind = _behind is null ? null : await RunAtWorkAsync();
            TellPool();
        }
    }

    /// <inheritdoc/>
    public async Task<bool> FormAsync(IReadOnlyList<GangMember> members)
    {
        if (_run is not { IsOpen: true } run)
        {
            TellPool();
            return false;
        }

        if (run.Status == RunStatus.Queued && (_behind = await RunAtWorkAsync()) is not null)
        {
            TellPool();
            return false;
        }

        try
        {
            await ApplyAsync(run.Form(members));
        }
        catch (RunConflictException)
        {
            // Another run has begun since the store was asked.
            _behind = await RunAtWorkAsync();
            TellPool();
            return false;
        }

        _waits = null;
        return true;
    }

    /// <inheritdoc/>
    public Task WaitsAsync(string? reason)
    {
        _waits = reason;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task MembersLostAsync(IReadOnlyList<string> workerIds, string reason)
    {
        if (_run is { } run)
        {
            await ApplyAsync(run.Lose(workerIds, reason));
            TellPool();
        }
    }

    /// <inheritdoc/>
    public async Task MemberLeavingAsync(string workerId)
    {
        if (_run is { IsOpen: true } run && run.Members.Contains(workerId, StringComparer.Ordinal))
        {
            await ApplyAsync(run.Yield());
        }
    }

    private static string Name(RunStatus status) => RunStatusNames.Of(status);

    private RunView View(ClusterRun run) => new()
    {
        RunId = RunId,
        Status = Name(run.Status),
        Stage = run.Stage is { } stage ? StageNames.Of(stage) : null,
        Generation = run.State.Generation,
        Members = run.Members,
        Reason = run.Reason,
        Waits = run.IsOpen && run.Members.Count == 0 ? _waits : null,
        BadInput = run.State.BadInput,
        BadKey = run.State.BadKey,
        Progress = run.Progress,
        SubmittedAt = _stored!.SubmittedAt,
        Deadline = _stored.Deadline,
        StartedAt = run.State.Run?.StartedAt,
        EndedAt = run.State.EndedAt,
        Out = _stored.OutputFolder,
        Pool = _stored.Pool,
        Files = run.State.Run?.Results.TryGetValue(RunStage.Publish, out var json) == true
            ? JsonSerializer.Deserialize<PublishOutcome>(json, RunStateJson.Options)!.Files
            : new Dictionary<string, string>(),
    };

    private void Take(StoredRun stored)
    {
        _stored = stored;
        _order = JsonSerializer.Deserialize<RunOrder>(stored.Order, RunStateJson.Options)!;
        _run = new ClusterRun(RunId, _order, stored.Status, stored.Reason, ClusterRunState.Parse(stored.State), _time, _options);
    }

    private async Task TickAsync(CancellationToken cancellationToken)
    {
        if (_run is { IsOpen: true } run)
        {
            await ApplyAsync(run.Tick());
        }
    }

    private async Task ApplyAsync(Decision decision)
    {
        if (decision.Store || decision.Events.Count > 0)
        {
            var run = _run!;
            try
            {
                _stored = await _store.WriteAsync(
                    _stored! with { Status = run.Status, Reason = run.Reason, State = run.Durable.ToJson() },
                    decision.Events,
                    [],
                    CancellationToken.None);
            }
            catch (RunConflictException)
            {
                // The row was found as it is known here, and stays so: only what was decided has to be forgotten.
                Take(_stored!);
                throw;
            }
            catch (Exception e)
            {
                LogNotStored(e, RunId);
                _run = null;
                DeactivateOnIdle();
                throw;
            }
        }

        Measure(decision);
        foreach (var command in decision.Commands)
        {
            _commands.Send(command);
        }

        if (decision.NeedChanged)
        {
            TellPool();
        }
    }

    private void Measure(Decision decision)
    {
        if (_run is not { } run)
        {
            return;
        }

        if (decision.Formed is { } cause)
        {
            RunMeters.Generation(cause);
        }

        if (decision.StageDone is { } done)
        {
            RunMeters.StageDone(done.Stage, done.Seconds);
            ActivityContext.TryParse(run.State.Trace, null, out var parent);
            RunMeters.Spans.StartActivity($"stage {StageNames.Of(done.Stage)}", ActivityKind.Internal, parent, startTime: _time.GetUtcNow() - TimeSpan.FromSeconds(done.Seconds))?.SetTag("run", RunId).Dispose();
        }

        if (run.IsOpen)
        {
            var (open, handedOut, durable) = run.Leases;
            var heard = decision.Store || decision.Commands.Count > 0 ? Stopwatch.GetTimestamp() : (long?)null;
            RunMeters.Note(RunId, run.Pool, run.Stage, run.Members.Count > 0, heard, open, handedOut, durable, run.Skew);
        }
        else if (decision.Store)
        {
            RunMeters.Forget(RunId);
            RunMeters.End(Name(run.Status), run.Stage is RunStage.Completed ? RunStage.Report : run.Stage);
        }
    }

    private async Task<string?> RunAtWorkAsync() =>
        await _store.RunAtWorkOnAsync(_stored!.ModelKey, CancellationToken.None) is { } other && other.RunId != RunId ? other.RunId : null;

    private async Task<string?> QueuedAsync() => await RunAtWorkAsync() is { } other ? $"queued: run {other} has begun on the same model and is not done" : null;

    private async Task<SubmitOutcome> FolderTakenAsync(RunOrder order)
    {
        var other = await _store.OpenRunWritingToAsync(order.Out, CancellationToken.None);
        return new SubmitOutcome(false, false, $"out {order.Out}: {(other is null ? "another run" : $"run {other.RunId}, which is {Name(other.Status)},")} writes there; name another folder");
    }

    // One way: the pool calls its runs and must never be waited for by one.
    private void TellPool()
    {
        if (_run is not { } run || _order is not { } order || _stored is not { } stored)
        {
            return;
        }

        var need = new RunNeed(RunId, run.IsOpen, order.Model, order.Device, order.Workers, stored.Deadline, stored.SubmittedAt, run.Claimed, run.State.Generation, run.State.Members, run.State.LeastWorkers, run.Status == RunStatus.Queued ? _behind : null);
        GrainFactory.GetGrain<IPoolGrain>(order.Pool).NeedAsync(need).Ignore();
    }

    [LoggerMessage(LogLevel.Information, "Run {RunId} submitted to pool {Pool}")]
    private partial void LogSubmitted(string runId, string pool);

    [LoggerMessage(LogLevel.Warning, "Run {RunId}: its state could not be stored; it is read again")]
    private partial void LogNotStored(Exception exception, string runId);
}
