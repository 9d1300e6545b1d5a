using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using Scissorhands.Messaging.Control;

namespace Scissorhands.Drill.Faults;

/// <summary>
/// Stands between the exchanges of control messages and their queues: what passes comes late, out of order and, one in
/// three, twice. The seed decides; nothing is lost.
/// </summary>
public sealed class ControlShuffler : IAsyncDisposable
{
    private const int MaxDelayMilliseconds = 250;
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly Random _random;
    private readonly SemaphoreSlim _publishing = new(1, 1);
    private int _passed;
    private int _doubled;

    private ControlShuffler(IConnection connection, IChannel channel, int seed)
    {
        (_connection, _channel) = (connection, channel);
        _random = new Random(seed);
    }

    /// <summary>Messages that have passed, copies not counted.</summary>
    public int Passed => Volatile.Read(ref _passed);

    /// <summary>Messages that have passed twice.</summary>
    public int Doubled => Volatile.Read(ref _doubled);

    /// <summary>Begins to shuffle the messages of the coordinator and of some workers.</summary>
    public static async Task<ControlShuffler> StartAsync(Uri broker, IEnumerable<string> workers, int seed)
    {
        var connection = await new ConnectionFactory { Uri = broker }.CreateConnectionAsync();
        var shuffler = new ControlShuffler(connection, await connection.CreateChannelAsync(), seed);
        foreach (var name in workers.Select(ControlBus.WorkerQueue).Prepend(ControlBus.CoordinatorQueue))
        {
            await shuffler.StepBetweenAsync(name);
        }

        return shuffler;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
        _publishing.Dispose();
    }

    private async Task StepBetweenAsync(string name)
    {
        var own = (await _channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true)).QueueName;
        await _channel.QueueBindAsync(own, name, "");
        await _channel.QueueUnbindAsync(name, name, "");
        var consumer = new AsyncEventingBasicConsumer(_channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            var (properties, body) = (new BasicProperties(message.BasicProperties), message.Body.ToArray());
            int[] delays;
            lock (_random)
            {
                delays = [.. Enumerable.Range(0, _random.Next(3) == 0 ? 2 : 1).Select(_ => _random.Next(MaxDelayMilliseconds))];
            }

            Interlocked.Increment(ref _passed);
            Interlocked.Add(ref _doubled, delays.Length - 1);
            foreach (var delay in delays)
            {
                _ = PassAsync(name, properties, body, delay);
            }

            return Task.CompletedTask;
        };
        await _channel.BasicConsumeAsync(own, autoAck: true, consumer);
    }

    private async Task PassAsync(string queue, BasicProperties properties, byte[] body, int delay)
    {
        await Task.Delay(delay);
        await _publishing.WaitAsync();
        try
        {
            await _channel.BasicPublishAsync("", queue, mandatory: false, properties, body);
        }
        catch (Exception e) when (e is RabbitMQ.Client.Exceptions.AlreadyClosedException or ObjectDisposedException)
        {
            // The drill's case is over.
        }
        finally
        {
            _publishing.Release();
        }
    }
}
