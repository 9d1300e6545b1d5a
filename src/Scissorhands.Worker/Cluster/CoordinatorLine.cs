using MassTransit;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Cluster;

/// <summary>
/// One generation's questions to the coordinator: each is repeated until it is answered, so that a lost message or a
/// coordinator that was away costs time only.
/// </summary>
internal sealed class CoordinatorLine
{
    private readonly IBus _bus;
    private readonly GangAssigned _assignment;
    private readonly TimeSpan _askAgainAfter;
    private readonly TimeProvider _time;
    private readonly Lock _sync = new();
    private TaskCompletionSource<WorkerAnswer>? _pending;
    private string? _over;
    private long _number;

    public CoordinatorLine(IBus bus, GangAssigned assignment, TimeSpan askAgainAfter, TimeProvider time)
    {
        _bus = bus;
        _assignment = assignment;
        _askAgainAfter = askAgainAfter;
        _time = time;
    }

    /// <summary>Asks and waits for the answer.</summary>
    /// <exception cref="CollectiveException">The generation is over.</exception>
    public async Task<string> AskAsync(WorkerCallKind kind, string body, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<WorkerAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        WorkerCall call;
        lock (_sync)
        {
            if (_over is not null)
            {
                throw Over(_over);
            }

            _pending = answer;
            call = new WorkerCall(_assignment.WorkerId, _assignment.RunId, _assignment.Generation, _assignment.Rank, ++_number, kind, body);
        }

        while (true)
        {
            await SendAsync(call, cancellationToken);
            try
            {
                return (await answer.Task.WaitAsync(_askAgainAfter, _time, cancellationToken)).Body;
            }
            catch (TimeoutException)
            {
                // Lost, or the coordinator is away, or there is nothing to say yet: the same question again does no harm.
                if (kind is WorkerCallKind.Lease or WorkerCallKind.Report)
                {
                    // The others are kept waiting for other ranks, which is no trouble.
                    WorkerMeters.Retried("question");
                }
            }
        }
    }

    /// <summary>Tells how far the worker is; no loss where it does not arrive.</summary>
    public void Tell(WorkerProgress progress) => SendAsync(progress, CancellationToken.None).ContinueWith(
        static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    public void Answered(WorkerAnswer answer)
    {
        lock (_sync)
        {
            if (answer.Fenced)
            {
                EndLocked("the coordinator has begun another one");
            }
            else if (answer.Number == _number)
            {
                _pending?.TrySetResult(answer);
            }
        }
    }

    /// <summary>The generation is over: questions end with that reason.</summary>
    public void End(string reason)
    {
        lock (_sync)
        {
            EndLocked(reason);
        }
    }

    private void EndLocked(string reason)
    {
        _over ??= reason;
        _pending?.TrySetException(Over(_over));
    }

    private CollectiveException Over(string reason) =>
        new($"run {_assignment.RunId}, generation {_assignment.Generation}, rank {_assignment.Rank}: the generation is over: {reason}");

    private async Task SendAsync<T>(T message, CancellationToken cancellationToken)
        where T : class
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_askAgainAfter * 5);
        try
        {
            var endpoint = await _bus.GetSendEndpoint(ControlBus.CoordinatorAddress);
            await endpoint.Send(message, patience.Token);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The broker is away; the next attempt follows.
        }
    }
}
