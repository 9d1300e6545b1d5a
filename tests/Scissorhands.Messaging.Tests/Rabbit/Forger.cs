using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A message of the data plane as it is on the broker.</summary>
/// <param name="Header">The frame's header; null for a message without one.</param>
/// <param name="Body">The payload.</param>
internal sealed record RawFrame(byte[]? Header, byte[] Body);

/// <summary>Somebody with access to the broker who publishes what it likes, and can stand between two ranks.</summary>
internal sealed class Forger : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly SemaphoreSlim _oneAtATime = new(1);

    private Forger(IConnection connection, IChannel channel)
    {
        _connection = connection;
        _channel = channel;
    }

    /// <summary>All frames that came by.</summary>
    internal List<RawFrame> Captured { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
        _oneAtATime.Dispose();
    }

    internal static async Task<Forger> ConnectAsync(Uri broker)
    {
        var connection = await new ConnectionFactory { Uri = broker, AutomaticRecoveryEnabled = false }.CreateConnectionAsync(TestContext.Current.CancellationToken);
        return new Forger(connection, await connection.CreateChannelAsync(cancellationToken: TestContext.Current.CancellationToken));
    }

    internal async Task PublishAsync(string queue, RawFrame frame)
    {
        var properties = new BasicProperties();
        if (frame.Header is not null)
        {
            properties.Headers = new Dictionary<string, object?> { ["f"] = frame.Header };
        }

        await _oneAtATime.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            await _channel.BasicPublishAsync("", queue, mandatory: false, properties, frame.Body, TestContext.Current.CancellationToken);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>A queue to give to a rank instead of a peer's; what comes there goes on to the peer as the forger likes.</summary>
    internal async Task<string> StandBeforeAsync(string queue, Func<RawFrame, IEnumerable<RawFrame>> pass)
    {
        var before = await _channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: TestContext.Current.CancellationToken);
        var consumer = new AsyncEventingBasicConsumer(_channel);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            var frame = new RawFrame((byte[])delivery.BasicProperties.Headers!["f"]!, delivery.Body.ToArray());
            lock (Captured)
            {
                Captured.Add(frame);
            }

            foreach (var passed in pass(frame))
            {
                await PublishAsync(queue, passed);
            }
        };
        await _channel.BasicConsumeAsync(before.QueueName, autoAck: true, consumer, TestContext.Current.CancellationToken);
        return before.QueueName;
    }

    /// <summary>All ranks; what rank 0 sends to rank 1 comes by way of <paramref name="queue"/>.</summary>
    internal static RabbitCollectiveGroup[] Form(BrokerGroups groups, string queue, long generation, CollectiveOptions options, TimeProvider? clock = null) =>
        [.. Enumerable.Range(0, groups.Links.Count).Select(rank => Join(groups, queue, generation, rank, options, clock))];

    /// <summary>One rank of <see cref="Form"/>.</summary>
    internal static RabbitCollectiveGroup Join(BrokerGroups groups, string queue, long generation, int rank, CollectiveOptions options, TimeProvider? clock = null)
    {
        string[] queues = [.. groups.Links.Select((link, to) => rank == 0 && to == 1 ? queue : link.QueueName)];
        return new RabbitCollectiveGroup(groups.Links[rank], "run", generation, rank, queues, BrokerGroups.Key, options, clock);
    }
}
