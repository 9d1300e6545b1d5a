using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>
/// A worker's right to its name. It is an exclusive queue on a connection of its own, so that the broker grants it once and
/// takes it back when the connection ends, whatever ends it: a worker that was killed is followed at once. The holder answers
/// who asks, by which a name in use is told from one whose holder is gone without the broker knowing yet.
/// </summary>
public sealed class WorkerClaim : IAsyncDisposable
{
    private const string ReplyQueue = "amq.rabbitmq.reply-to";

    // The broker drops a connection that it has heard nothing of for three of these at the latest: the longest that a worker
    // which has lost its network is kept out by its own former connection.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = 4 * Heartbeat;
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);
    private readonly IConnection _connection;
    private readonly TaskCompletionSource _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WorkerClaim(IConnection connection) => _connection = connection;

    /// <summary>Whether the name is still this worker's.</summary>
    public bool IsHeld => !_lost.Task.IsCompleted;

    /// <summary>The queue that stands for a name.</summary>
    /// <param name="workerId">The worker.</param>
    /// <returns>The queue's name; none that a command queue can have.</returns>
    public static string QueueOf(string workerId) => "scissorhands.claim." + workerId;

    /// <summary>Takes a name.</summary>
    /// <param name="broker">The broker, with credentials.</param>
    /// <param name="workerId">The name.</param>
    /// <param name="waits">Called once where the name is held by a worker that does not answer, so that it is waited for.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The claim.</returns>
    /// <exception cref="InputException">Another worker has the name.</exception>
    /// <exception cref="RunFailedException">The broker cannot be reached, or refuses.</exception>
    public static async Task<WorkerClaim> TakeAsync(Uri broker, string workerId, Action waits, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(waits);
        ArgumentNullException.ThrowIfNull(time);
        var connection = await BrokerConnection.OpenAsync(broker, $"worker {workerId} claim", Heartbeat, cancellationToken);
        try
        {
            var start = time.GetTimestamp();
            for (var told = false; ; told = true)
            {
                if (await TryTakeAsync(connection, workerId, cancellationToken) is { } claim)
                {
                    return claim;
                }

                if (await IsAnsweredAsync(connection, workerId, time, cancellationToken) || time.GetElapsedTime(start) > Patience)
                {
                    throw new InputException($"worker {workerId}: another worker of that name is connected to the broker at {BrokerConnection.NameOf(broker)}; give each its own with --id, or end the other one first");
                }

                if (!told)
                {
                    waits();
                }

                await Task.Delay(RetryInterval, time, cancellationToken);
            }
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (BrokerConnection.IsFailure(e))
            {
                throw BrokerConnection.Failed(broker, e);
            }

            throw;
        }
    }

    /// <summary>Gives the name back.</summary>
    /// <returns>Completes once another worker may have it.</returns>
    public async ValueTask DisposeAsync()
    {
        _lost.TrySetResult();
        try
        {
            await _connection.DisposeAsync();
        }
        catch (Exception e) when (BrokerConnection.IsFailure(e))
        {
            // The connection is gone already, and the claim with it.
        }
    }

    private static async Task<WorkerClaim?> TryTakeAsync(IConnection connection, string workerId, CancellationToken cancellationToken)
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            await channel.QueueDeclareAsync(QueueOf(workerId), durable: false, exclusive: true, autoDelete: true, cancellationToken: cancellationToken);
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
        {
            return null;
        }

        var claim = new WorkerClaim(connection);
        connection.ConnectionShutdownAsync += claim.OnLostAsync;
        channel.ChannelShutdownAsync += claim.OnLostAsync;
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, asked) => asked.BasicProperties.ReplyTo is { Length: > 0 } who
            ? channel.BasicPublishAsync("", who, ReadOnlyMemory<byte>.Empty).AsTask()
            : Task.CompletedTask;
        consumer.UnregisteredAsync += (_, _) =>
        {
            claim._lost.TrySetResult();
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(QueueOf(workerId), autoAck: true, consumer, cancellationToken);
        return claim;
    }

    /// <summary>Asks who holds the name; nobody answers where the holder is gone, or stands still.</summary>
    private static async Task<bool> IsAnsweredAsync(IConnection connection, string workerId, TimeProvider time, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, _) =>
        {
            answered.TrySetResult();
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(ReplyQueue, autoAck: true, consumer, cancellationToken);
        await channel.BasicPublishAsync("", QueueOf(workerId), mandatory: false, new BasicProperties { ReplyTo = ReplyQueue }, ReadOnlyMemory<byte>.Empty, cancellationToken);
        try
        {
            await answered.Task.WaitAsync(AnswerPatience, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private Task OnLostAsync(object sender, ShutdownEventArgs reason)
    {
        _lost.TrySetResult();
        return Task.CompletedTask;
    }
}
