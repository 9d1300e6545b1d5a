using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Cluster;

/// <summary>Hosts a <see cref="Pool"/>: takes signs of life and needs in, gives runs their workers.</summary>
public sealed partial class PoolGrain : Grain, IPoolGrain
{
    private readonly LivenessOptions _options;
    private readonly IWorkerCommandSink _commands;
    private readonly BuildVersion _build;
    private readonly ILogger<PoolGrain> _logger;
    private readonly Dictionary<string, string?> _told = new(StringComparer.Ordinal);
    private readonly Pool _pool;

    /// <summary>Creates the grain.</summary>
    /// <param name="options">How patient the coordinator is.</param>
    /// <param name="time">The clock.</param>
    /// <param name="commands">The way to the workers.</param>
    /// <param name="build">This program's version.</param>
    /// <param name="logger">The log.</param>
    public PoolGrain(LivenessOptions options, TimeProvider time, IWorkerCommandSink commands, BuildVersion build, ILogger<PoolGrain> logger)
    {
        _options = options;
        _commands = commands;
        _build = build;
        _logger = logger;
        _pool = new Pool(this.GetPrimaryKeyString(), time, options);
    }

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(ScheduleAsync, new GrainTimerCreationOptions(TimeSpan.Zero, _options.BeatInterval / 4) { Interleave = false });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        RunMeters.ForgetPool(this.GetPrimaryKeyString());
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task BeatAsync(WorkerBeat beat)
    {
        ArgumentNullException.ThrowIfNull(beat);
        if (beat.Build != _build.Text)
        {
            LogRefused(beat.WorkerId, beat.Build, _build.Text);
            _commands.Send(new WorkerRefused { WorkerId = beat.WorkerId, Life = beat.Life, Reason = $"this worker is of version {beat.Build}, the coordinator of version {_build.Text}; results are only repeatable where all are of one version" });
            return;
        }

        if (_pool.IsSuperseded(beat))
        {
            LogNamesake(beat.WorkerId);
            _commands.Send(new WorkerRefused { WorkerId = beat.WorkerId, Life = beat.Life, Reason = "another worker has taken this name; give each its own with --id" });
            return;
        }

        var (lostBy, leavingFrom) = _pool.Beat(beat);
        if (lostBy is not null)
        {
            await Run(lostBy).MembersLostAsync([beat.WorkerId], $"worker {beat.WorkerId} has lost its connection and come back");
        }

        if (leavingFrom is not null)
        {
            await Run(leavingFrom).MemberLeavingAsync(beat.WorkerId);
        }
    }

    /// <inheritdoc/>
    public Task NeedAsync(RunNeed need)
    {
        _pool.Need(need);

        // Its host may be another one by now, which does not know what it waits for: it is told again.
        if (_told.ContainsKey(need.RunId))
        {
            _told[need.RunId] = null;
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<WorkerView>> WorkersAsync() => Task.FromResult(_pool.Views);

    private async Task ScheduleAsync(CancellationToken cancellationToken)
    {
        // Side by side, for each writes to the store, and what fails for one run must not keep others waiting: what a run was
        // not told it is told again.
        var lost = _pool.Lose();
        foreach (var (worker, run) in lost)
        {
            if (run is null)
            {
                LogIdleLost(worker);
            }
            else
            {
                LogLost(worker, run);
            }
        }

        if (lost.Count > 0)
        {
            RunMeters.Lost(this.GetPrimaryKeyString(), lost.Count);
        }

        await LoseAsync(lost.Where(static l => l.RunId is not null).Select(static l => (l.WorkerId, l.RunId!)), worker => $"worker {worker} has been silent for {_options.LostAfter.TotalSeconds:0.#} s");
        await LoseAsync(_pool.Strayed(), static worker => $"worker {worker} works on something else");
        await LoseAsync(_pool.Missing(), static worker => $"worker {worker} is gone");
        await Task.WhenAll(_pool.Deal().Select(dealt =>
        {
            LogFormed(dealt.RunId, dealt.Members.Count);
            return TellAsync(dealt.RunId, run => run.FormAsync(dealt.Members));
        }));
        RunMeters.Note(this.GetPrimaryKeyString(), _pool.Views, _pool.Lacks);
        foreach (var run in _told.Keys.Where(run => !_pool.Waits.ContainsKey(run)).ToArray())
        {
            _told.Remove(run);
            Run(run).WaitsAsync(null).Ignore();
        }

        foreach (var (run, reason) in _pool.Waits)
        {
            if (_told.GetValueOrDefault(run) != reason)
            {
                _told[run] = reason;
                Run(run).WaitsAsync(reason).Ignore();
            }
        }
    }

    private Task LoseAsync(IEnumerable<(string WorkerId, string RunId)> lost, Func<string, string> reason) =>
        Task.WhenAll(lost.GroupBy(static l => l.RunId, static l => l.WorkerId).Select(workers => TellAsync(workers.Key, run => run.MembersLostAsync([.. workers], reason(string.Join(", ", workers))))));

    private async Task TellAsync(string runId, Func<IRunGrain, Task> tell)
    {
        try
        {
            await tell(Run(runId));
        }
        catch (Exception e)
        {
            LogNotTold(e, runId);
        }
    }

    private IRunGrain Run(string runId) => GrainFactory.GetGrain<IRunGrain>(runId);

    [LoggerMessage(LogLevel.Warning, "Worker {WorkerId} is of version {WorkerBuild}, this coordinator of {Build}: refused")]
    private partial void LogRefused(string workerId, string workerBuild, string build);

    [LoggerMessage(LogLevel.Warning, "Two workers have the name {WorkerId}: the older one is refused")]
    private partial void LogNamesake(string workerId);

    [LoggerMessage(LogLevel.Warning, "Worker {WorkerId} of run {RunId} is lost")]
    private partial void LogLost(string workerId, string runId);

    [LoggerMessage(LogLevel.Warning, "Worker {WorkerId} is lost; it was in no run")]
    private partial void LogIdleLost(string workerId);

    [LoggerMessage(LogLevel.Warning, "Run {RunId} was not told of a change among its workers; it will be told again")]
    private partial void LogNotTold(Exception exception, string runId);

    [LoggerMessage(LogLevel.Information, "Run {RunId} gets {Workers} workers")]
    private partial void LogFormed(string runId, int workers);
}
