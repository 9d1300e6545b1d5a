using System.Diagnostics;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Cluster;

/// <summary>
/// A worker of a cluster: gives signs of life, takes assignments, and does them on one compute thread. Whatever goes wrong
/// around it (broker, coordinator, peers) ends a generation, never the worker.
/// </summary>
public sealed partial class ClusterWorker : BackgroundService
{
    private readonly ClusterWorkerOptions _options;
    private readonly IBus _bus;
    private readonly TimeProvider _time;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly ILogger<ClusterWorker> _logger;
    private readonly Lock _sync = new();
    private readonly SemaphoreSlim _assigned = new(0);
    private readonly CancellationTokenSource _leaving = new();
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _life = Guid.NewGuid().ToString("N");
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RabbitDataLink? _link;
    private WorkerClaim? _claim;
    private string? _away;
    private long _unheardSince;
    private GangAssigned? _pending;
    private Generation? _current;
    private RunSession? _session;

    /// <summary>Creates the worker.</summary>
    /// <param name="options">Who it is.</param>
    /// <param name="bus">The way to the coordinator.</param>
    /// <param name="time">The clock.</param>
    /// <param name="lifetime">Ends the process.</param>
    /// <param name="logger">The log.</param>
    public ClusterWorker(ClusterWorkerOptions options, IBus bus, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<ClusterWorker> logger)
    {
        _options = options;
        _bus = bus;
        _time = time;
        _lifetime = lifetime;
        _logger = logger;
    }

    /// <summary>
    /// Whether the worker has ended because it is to go on in a new process: one that computes with other numerics, or one
    /// that hears what it is told.
    /// </summary>
    public bool IsToStartAnew { get; private set; }

    /// <summary>Why this worker may not go on, in one line: refused by the coordinator, or its name is another's. Null where it may.</summary>
    public string? Refused { get; private set; }

    /// <summary>What keeps the worker from taking work; null where nothing does.</summary>
    internal string? NotReady => _leaving.IsCancellationRequested ? "leaving"
        : Refused ?? (_claim is not { IsHeld: true } || _link is not { } link || link.Lost.IsCompleted ? "the broker is away" : null);

    /// <summary>Completes once the worker has its name and the way for tensors, and has told the coordinator of itself.</summary>
    public Task Connected => _connected.Task;

    /// <summary>
    /// Takes the worker's name, before anything of the worker is on the broker: two of one name would take each other's
    /// commands. Waits for a broker that is away.
    /// </summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Completes once the name is taken.</returns>
    /// <exception cref="InputException">Another worker has the name.</exception>
    public async Task ClaimAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_options.BeatInterval, _time);
        while (!await TryClaimAsync(cancellationToken))
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _assigned.Dispose();
        _leaving.Dispose();
        base.Dispose();
    }

    /// <summary>Leaves within the grace period: takes no more work, comes to a durable point, says goodbye.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Completes when nothing is under way any more.</returns>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await _leaving.CancelAsync();
        await BeatAsync(cancellationToken);
        bool busy;
        lock (_sync)
        {
            busy = _current is not null;
        }

        if (busy)
        {
            LogLeaving(_options.WorkerId);
            try
            {
                await _idle.Task.WaitAsync(_options.Grace, _time, cancellationToken);
            }
            catch (TimeoutException)
            {
                LogGraceOver(_options.WorkerId, _options.Grace);
            }
        }

        lock (_sync)
        {
            _current?.End("the worker ends");
        }

        await BeatAsync(cancellationToken);
        await base.StopAsync(cancellationToken);
        if (_link is not null)
        {
            await _link.DisposeAsync();
        }

        if (_claim is not null)
        {
            await _claim.DisposeAsync();
        }
    }

    /// <summary>Takes a command in; quick, so that the delivery is not held while work is done.</summary>
    internal void Take(WorkerCommand command)
    {
        lock (_sync)
        {
            switch (command)
            {
                case GangAssigned assigned:
                    TakeAssignment(assigned);
                    break;
                case WorkerAnswer answer when Concerns(answer.RunId, answer.Generation):
                    _current!.Line.Answered(answer);
                    if (answer.Fenced)
                    {
                        _current.End("the coordinator has begun another one");
                    }

                    break;
                case YieldAsked asked when Concerns(asked.RunId, asked.Generation):
                    _current!.Yield();
                    break;
                case GenerationOver over when _current is { } current && current.Assignment.RunId == over.RunId && current.Assignment.Generation <= over.Generation:
                    current.End(over.Reason);
                    break;
                case WorkerEcho echo when echo.Life == _life:
                    _unheardSince = 0;
                    break;
                case WorkerRefused refused when refused.Life == _life:
                    Refused = $"worker {_options.WorkerId}: refused by the coordinator: {refused.Reason}";
                    LogRefused(refused.Reason);
                    _lifetime.StopApplication();
                    break;
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var compute = Run.ComputeThread.Run("compute", () => Compute(stoppingToken));
        using var timer = new PeriodicTimer(_options.BeatInterval, _time);
        do
        {
            if (await HoldNameAsync(stoppingToken))
            {
                await EnsureLinkAsync(stoppingToken);
                await BeatAsync(stoppingToken);
            }
        }
        while (!compute.IsCompleted && await timer.WaitForNextTickAsync(stoppingToken));
        await compute;
    }

    private bool Concerns(string runId, long generation) => _current is { } current && current.Assignment.RunId == runId && current.Assignment.Generation == generation;

    private void TakeAssignment(GangAssigned assigned)
    {
        var newest = _pending ?? _current?.Assignment;
        if (_leaving.IsCancellationRequested || (newest is not null && newest.RunId == assigned.RunId && newest.Generation >= assigned.Generation))
        {
            return;
        }

        if (_link is not { } link || assigned.DataQueues[assigned.Rank] != link.QueueName || link.Lost.IsCompleted)
        {
            // Meant for a former life of this worker; its next sign of life says so.
            return;
        }

        _pending = assigned;
        _current?.End($"generation {assigned.Generation} of run {assigned.RunId} has begun");
        _assigned.Release();
    }

    private async Task<bool> HoldNameAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await TryClaimAsync(cancellationToken);
        }
        catch (InputException e)
        {
            // While this worker was away another one has come.
            Refused = e.Message;
            LogRefused(e.Message);
            lock (_sync)
            {
                _current?.End("another worker has its name");
            }

            _lifetime.StopApplication();
            return false;
        }
    }

    private async Task<bool> TryClaimAsync(CancellationToken cancellationToken)
    {
        if (_claim is { IsHeld: true })
        {
            return true;
        }

        try
        {
            var fresh = await WorkerClaim.TakeAsync(_options.Broker, _options.WorkerId, () => LogNameHeld(_options.WorkerId), _time, cancellationToken);
            var old = Interlocked.Exchange(ref _claim, fresh);
            if (old is not null)
            {
                await old.DisposeAsync();
            }

            BrokerIsBack();
            return true;
        }
        catch (RunFailedException e)
        {
            BrokerIsAway(e.Message);
            return false;
        }
    }

    // Told once, not with each attempt.
    private void BrokerIsAway(string reason)
    {
        if (_away != reason)
        {
            _away = reason;
            LogNoBroker(reason, _options.BeatInterval.TotalSeconds);
        }
    }

    private void BrokerIsBack()
    {
        if (_away is not null)
        {
            _away = null;
            WorkerMeters.Retried("reconnect");
            LogBroker(BrokerConnection.NameOf(_options.Broker));
        }
    }

    private async Task EnsureLinkAsync(CancellationToken cancellationToken)
    {
        if (_link is { } link && !link.Lost.IsCompleted)
        {
            return;
        }

        try
        {
            var fresh = await RabbitDataLink.ConnectAsync(_options.Broker, $"worker {_options.WorkerId}", cancellationToken);
            var old = Interlocked.Exchange(ref _link, fresh);
            if (old is not null)
            {
                await old.DisposeAsync();
            }

            BrokerIsBack();
        }
        catch (RunFailedException e)
        {
            BrokerIsAway(e.Message);
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
    {
        if (_claim is not { IsHeld: true })
        {
            // The name may be another's by now, and a sign of life under it would take the other's place.
            return;
        }

        GangAssigned? working;
        lock (_sync)
        {
            working = _current?.Assignment;
        }

        var queue = _link is { } link && !link.Lost.IsCompleted ? link.QueueName : "";
        var beat = new WorkerBeat(
            _options.WorkerId,
            _life,
            _options.Build,
            _options.Pool,
            _options.Device.Split(':')[0],
            _options.MemoryBytes,
            queue,
            _leaving.IsCancellationRequested,
            working?.RunId,
            working?.Generation ?? 0);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_options.BeatInterval * 2);
        try
        {
            var endpoint = await _bus.GetSendEndpoint(ControlBus.CoordinatorAddress);
            await endpoint.Send(beat, patience.Token);
            await ListenAsync(patience.Token);
            if (queue.Length > 0)
            {
                _connected.TrySetResult();
            }
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The broker is away; the next sign follows.
            lock (_sync)
            {
                _unheardSince = 0;
            }
        }
    }

    /// <summary>
    /// Sends the worker a message of its own. Seen after a restart of the broker: what a worker sends arrives, but its queue
    /// no longer delivers, and nobody else can tell.
    /// </summary>
    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        var self = await _bus.GetSendEndpoint(ControlBus.CommandAddress(_options.WorkerId));
        await self.Send(new WorkerEcho { WorkerId = _options.WorkerId, Life = _life }, cancellationToken);
        lock (_sync)
        {
            _unheardSince = _unheardSince == 0 ? _time.GetTimestamp() : _unheardSince;
            if (IsToStartAnew || _leaving.IsCancellationRequested || _time.GetElapsedTime(_unheardSince) < _options.DeafAfter)
            {
                return;
            }

            IsToStartAnew = true;

            // At once: no answer that would bring it to a durable point can reach it.
            _current?.End("the worker hears nothing");
        }

        LogDeaf(_options.WorkerId, _options.DeafAfter);
        _lifetime.StopApplication();
    }

    private void Compute(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                _assigned.Wait(stoppingToken);
                if (Begin() is { } generation)
                {
                    Work(generation, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The worker ends.
        }
        finally
        {
            _session?.Dispose();
            _idle.TrySetResult();
        }
    }

    private Generation? Begin()
    {
        lock (_sync)
        {
            if (_pending is not { } assignment || _link is not { } link)
            {
                return null;
            }

            _pending = null;
            var options = new CollectiveOptions { PeerTimeout = _options.PeerTimeout };
            var group = new RabbitCollectiveGroup(link, assignment.RunId, assignment.Generation, assignment.Rank, assignment.DataQueues, Convert.FromBase64String(assignment.Key), options, _time);
            _current = new Generation(assignment, new CoordinatorLine(_bus, assignment, _options.AskAgainAfter, _time), group);
            return _current;
        }
    }

    private void Work(Generation generation, CancellationToken stoppingToken)
    {
        var assignment = generation.Assignment;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, generation.Ended);
        ActivityContext.TryParse(assignment.Trace, null, out var parent);
        using var span = WorkerMeters.Spans.StartActivity("generation", ActivityKind.Consumer, parent)?.SetTag("run", assignment.RunId).SetTag("generation", assignment.Generation).SetTag("rank", assignment.Rank);
        try
        {
            LogBegins(assignment.RunId, assignment.Generation, assignment.Rank, assignment.DataQueues.Count);
            if (_session?.RunId != assignment.RunId)
            {
                _session?.Dispose();
                _session = new RunSession(assignment.RunId, assignment.Order, _options.MemoryBytes);
                if (_session.NeedsAnotherProcess)
                {
                    LogStartsAnew(assignment.RunId);
                    IsToStartAnew = true;
                    _lifetime.StopApplication();
                    return;
                }
            }

            _session.Work(assignment, generation.Line, generation.Group, _time, generation.YieldAsked, stop.Token);
            LogDone(assignment.RunId, assignment.Generation);
        }
        catch (Exception e) when (e is CollectiveException or OperationCanceledException)
        {
            LogOver(assignment.RunId, assignment.Generation, e.Message);
        }
        catch (Exception e)
        {
            LogFailed(e, assignment.RunId, assignment.Generation);

            // Whatever state it is in: the next generation begins with a fresh one.
            _session?.Dispose();
            _session = null;
        }
        finally
        {
            generation.End("its work is over");
            generation.Group.DisposeAsync().AsTask().GetAwaiter().GetResult();
            lock (_sync)
            {
                _current = null;
                if (_leaving.IsCancellationRequested)
                {
                    _idle.TrySetResult();
                }
            }

            generation.Dispose();
        }
    }

    [LoggerMessage(LogLevel.Information, "Run {RunId}, generation {Generation}: rank {Rank} of {Size}")]
    private partial void LogBegins(string runId, long generation, int rank, int size);

    [LoggerMessage(LogLevel.Warning, "Worker {WorkerId} has heard nothing of what it sent itself for {DeafAfter}: it starts anew")]
    private partial void LogDeaf(string workerId, TimeSpan deafAfter);

    [LoggerMessage(LogLevel.Information, "Run {RunId} asks for other numerics than this process computes with: it starts anew")]
    private partial void LogStartsAnew(string runId);

    [LoggerMessage(LogLevel.Information, "Run {RunId}, generation {Generation}: done")]
    private partial void LogDone(string runId, long generation);

    [LoggerMessage(LogLevel.Information, "Run {RunId}, generation {Generation} is over: {Reason}")]
    private partial void LogOver(string runId, long generation, string reason);

    [LoggerMessage(LogLevel.Error, "Run {RunId}, generation {Generation}: failed")]
    private partial void LogFailed(Exception exception, string runId, long generation);

    [LoggerMessage(LogLevel.Warning, "waiting for the {Reason}; retrying every {Seconds} s")]
    private partial void LogNoBroker(string reason, double seconds);

    [LoggerMessage(LogLevel.Information, "the broker at {Broker} is back")]
    private partial void LogBroker(string broker);

    [LoggerMessage(LogLevel.Warning, "worker {WorkerId}: a worker of that name is connected but does not answer; waiting for the broker to drop its connection")]
    private partial void LogNameHeld(string workerId);

    [LoggerMessage(LogLevel.Error, "Refused: {Reason}")]
    private partial void LogRefused(string reason);

    [LoggerMessage(LogLevel.Information, "Worker {WorkerId} leaves at the next durable point")]
    private partial void LogLeaving(string workerId);

    [LoggerMessage(LogLevel.Warning, "Worker {WorkerId} did not come to a durable point within {Grace}")]
    private partial void LogGraceOver(string workerId, TimeSpan grace);

    /// <summary>The generation under way.</summary>
    private sealed class Generation(GangAssigned assignment, CoordinatorLine line, RabbitCollectiveGroup group) : IDisposable
    {
        private readonly CancellationTokenSource _ended = new();
        private readonly CancellationTokenSource _yield = new();

        public GangAssigned Assignment { get; } = assignment;

        public CoordinatorLine Line { get; } = line;

        public RabbitCollectiveGroup Group { get; } = group;

        public CancellationToken Ended => _ended.Token;

        public CancellationToken YieldAsked => _yield.Token;

        public void Yield() => _yield.Cancel();

        public void End(string reason)
        {
            Line.End(reason);

            // Cancellation alone: the compute thread aborts the group itself, and frees no memory before that.
            if (!_ended.IsCancellationRequested)
            {
                _ended.Cancel();
            }
        }

        public void Dispose()
        {
            _ended.Dispose();
            _yield.Dispose();
        }
    }
}
