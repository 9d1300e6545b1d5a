using System.Globalization;
using RabbitMQ.Client;
using Scissorhands.Messaging.Rabbit.Bodies;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>
/// The bytes of an all-reduce through the broker and nothing else: no sums, seals or order. What remains of the distance to
/// the yardstick when this is taken off is the collectives' own.
/// </summary>
internal sealed class BareExchange : AsyncDefaultBasicConsumer, IAsyncDisposable
{
    private const int ChunkBytes = 1 << 20;
    private readonly IConnection _publishing;
    private readonly IConnection _consuming;
    private readonly IChannel _publisher;
    private readonly Lock _sync = new();
    private readonly int _rank;
    private readonly int _ranks;
    private long _received;
    private long _wanted;
    private TaskCompletionSource? _all;

    private BareExchange(IConnection publishing, IConnection consuming, IChannel publisher, IChannel consumer, int rank, int ranks)
        : base(consumer)
    {
        (_publishing, _consuming, _publisher, _rank, _ranks) = (publishing, consuming, publisher, rank, ranks);
    }

    public static async Task<BareExchange> ConnectAsync(Uri broker, int rank, int ranks)
    {
        var factory = new ConnectionFactory { Uri = broker, AutomaticRecoveryEnabled = false, TopologyRecoveryEnabled = false, SocketFactory = BodySocketStream.Factory() };
        var publishing = await factory.CreateConnectionAsync();
        var consuming = await factory.CreateConnectionAsync();
        var consumer = await consuming.CreateChannelAsync();
        var exchange = new BareExchange(publishing, consuming, await publishing.CreateChannelAsync(), consumer, rank, ranks);
        await consumer.QueueDeclareAsync(QueueOf(rank), durable: false, exclusive: true, autoDelete: true);
        await consumer.BasicConsumeAsync(QueueOf(rank), autoAck: true, exchange);
        return exchange;
    }

    /// <summary>Sends each other rank its range, and the own range to all others; ends when all of theirs has come.</summary>
    public async Task RunAsync(ReadOnlyMemory<byte> values)
    {
        var range = values.Length / _ranks;
        Task all;
        lock (_sync)
        {
            _wanted += 2L * range * (_ranks - 1);
            _all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            all = _all.Task;
            Settle();
        }

        var others = Enumerable.Range(1, _ranks - 1).Select(i => QueueOf((_rank + i) % _ranks)).ToArray();
        var copies = new BasicProperties { Headers = new Dictionary<string, object?> { ["BCC"] = others.Skip(1).Cast<object?>().ToList() } };
        for (var start = 0; start < range; start += ChunkBytes)
        {
            foreach (var other in others)
            {
                await _publisher.BasicPublishAsync("", other, mandatory: false, values.Slice(start, Math.Min(ChunkBytes, range - start)));
            }
        }

        for (var start = 0; start < range; start += ChunkBytes)
        {
            await _publisher.BasicPublishAsync("", others[0], mandatory: false, copies, values.Slice(start, Math.Min(ChunkBytes, range - start)));
        }

        await all;
    }

    public override Task HandleBasicDeliverAsync(
        string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            _received += body.Length;
            Settle();
        }

        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _publishing.DisposeAsync();
        await _consuming.DisposeAsync();
    }

    private static string QueueOf(int rank) => string.Create(CultureInfo.InvariantCulture, $"bare-{rank}");

    private void Settle()
    {
        if (_received >= _wanted)
        {
            _all?.TrySetResult();
        }
    }
}
