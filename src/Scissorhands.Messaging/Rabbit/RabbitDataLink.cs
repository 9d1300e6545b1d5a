using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// A worker's way for tensors: one connection to publish and one to consume (a publisher that the broker holds back must
/// not hold back acknowledgements), and a queue of its own that goes with the consuming connection. Connections are not
/// recovered: a lost one is a new life of the worker.
/// </summary>
public sealed class RabbitDataLink : IAsyncDisposable
{
    // Frames a worker may be sent ahead of what it has taken in: 16 of 1 MiB.
    private const ushort Prefetch = 16;
    private readonly IConnection _publishing;
    private readonly IConnection _consuming;
    private readonly IChannel _publisher;
    private readonly IChannel _consumer;
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _sync = new();
    private TaskCompletionSource _attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RabbitCollectiveGroup? _group;

    private RabbitDataLink(IConnection publishing, IConnection consuming, IChannel publisher, IChannel consumer, string queue)
    {
        _publishing = publishing;
        _consuming = consuming;
        _publisher = publisher;
        _consumer = consumer;
        QueueName = queue;
    }

    /// <summary>The queue this worker's tensors arrive in.</summary>
    public string QueueName { get; }

    /// <summary>Completes with the reason when a connection or the queue is lost.</summary>
    internal Task<string> Lost => _lost.Task;

    /// <summary>Connects.</summary>
    /// <param name="broker">The broker, with credentials.</param>
    /// <param name="name">Shown in the broker's list of connections.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>The link, consuming.</returns>
    public static async Task<RabbitDataLink> ConnectAsync(Uri broker, string name, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = broker, AutomaticRecoveryEnabled = false, TopologyRecoveryEnabled = false };
        IConnection? publishing = null;
        IConnection? consuming = null;
        try
        {
            publishing = await factory.CreateConnectionAsync(name + " publish", cancellationToken);
            consuming = await factory.CreateConnectionAsync(name + " consume", cancellationToken);
            var publisher = await publishing.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);
            var consumer = await consuming.CreateChannelAsync(cancellationToken: cancellationToken);
            await consumer.BasicQosAsync(0, Prefetch, global: false, cancellationToken);
            var queue = await consumer.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: cancellationToken);
            var link = new RabbitDataLink(publishing, consuming, publisher, consumer, queue.QueueName);
            publishing.ConnectionShutdownAsync += link.OnShutdownAsync;
            consuming.ConnectionShutdownAsync += link.OnShutdownAsync;
            consumer.ChannelShutdownAsync += link.OnShutdownAsync;
            publisher.ChannelShutdownAsync += link.OnShutdownAsync;
            var receiver = new AsyncEventingBasicConsumer(consumer);
            receiver.ReceivedAsync += link.OnReceivedAsync;
            receiver.UnregisteredAsync += link.OnCancelledAsync;
            await consumer.BasicConsumeAsync(queue.QueueName, autoAck: false, receiver, cancellationToken);
            return link;
        }
        catch
        {
            await DisposeAsync(consuming);
            await DisposeAsync(publishing);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _lost.TrySetResult("the worker has closed its connection");
        _attached.TrySetResult();
        await DisposeAsync(_consumer);
        await DisposeAsync(_publisher);
        await DisposeAsync(_consuming);
        await DisposeAsync(_publishing);
        _oneAtATime.Dispose();
    }

    /// <summary>Hands this link's frames to a group from now on; frames of an older generation are dropped.</summary>
    internal void Attach(RabbitCollectiveGroup group)
    {
        TaskCompletionSource waiting;
        lock (_sync)
        {
            _group = group;
            waiting = _attached;
            _attached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiting.TrySetResult();
    }

    /// <summary>Sends a frame; completes when the broker has put it into the queue, fails where the queue is gone.</summary>
    internal async Task PublishAsync(string queue, byte[] frame)
    {
        await _oneAtATime.WaitAsync();
        try
        {
            await _publisher.BasicPublishAsync("", queue, mandatory: true, frame);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private static async ValueTask DisposeAsync(IAsyncDisposable? resource)
    {
        if (resource is not null)
        {
            try
            {
                await resource.DisposeAsync();
            }
            catch (Exception)
            {
                // The connection is gone already, and its reason has been told through Lost.
            }
        }
    }

    private async Task OnReceivedAsync(object sender, BasicDeliverEventArgs delivery)
    {
        if (TensorFrame.TryRead(delivery.Body, out var frame, out var problem))
        {
            // A peer may have heard of a generation first. Its frames wait here, unacknowledged, and the prefetch bounds them.
            var group = await GroupForAsync(frame.Generation);
            group?.Receive(frame);
        }
        else
        {
            Current()?.Fail(-1, "received " + problem);
        }

        await _consumer.BasicAckAsync(delivery.DeliveryTag, multiple: false);
    }

    private async Task<RabbitCollectiveGroup?> GroupForAsync(long generation)
    {
        while (true)
        {
            Task attached;
            lock (_sync)
            {
                if (_group is not null && _group.Generation >= generation)
                {
                    return _group.Generation == generation ? _group : null;
                }

                attached = _attached.Task;
            }

            await Task.WhenAny(attached, _lost.Task);
            if (_lost.Task.IsCompleted)
            {
                return null;
            }
        }
    }

    private RabbitCollectiveGroup? Current()
    {
        lock (_sync)
        {
            return _group;
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason) => LoseAsync(reason.ReplyText);

    private Task OnCancelledAsync(object sender, ConsumerEventArgs reason) => LoseAsync("the broker has cancelled the consumer");

    private Task LoseAsync(string reason)
    {
        if (_lost.TrySetResult(reason))
        {
            Current()?.Fail(-1, "connection to the broker lost: " + reason);
        }

        return Task.CompletedTask;
    }
}
