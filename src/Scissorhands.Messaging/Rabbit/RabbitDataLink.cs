using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// A worker's way for tensors: one connection to publish and one to consume (a publisher that the broker holds back must
/// not hold back what arrives), and a queue of its own that goes with the consuming connection. Nothing else is declared:
/// messages for several ranks name their queues, and the broker copies. Connections are not recovered: a lost one is a new
/// life of the worker.
/// </summary>
public sealed class RabbitDataLink : IAsyncDisposable
{
    private const string HeaderKey = "f";
    private const string CopiesKey = "BCC";

    // Frames of a generation that this worker has not heard of yet wait here; peers send no more than their windows ahead.
    private const long MaxEarlyBytes = 32L << 20;
    private const int MaxEarlyFrames = 4096;

    // Frames of the protocol are no larger than this, whatever a broker allows: they pass through buffers of that size.
    private const int DefaultFrameMax = 128 << 10;

    // Runs whose newest generation is remembered: what is older is dropped.
    private const int MaxRuns = 64;
    private readonly IConnection _publishing;
    private readonly IConnection _consuming;
    private readonly IChannel _publisher;
    private readonly IChannel _consumer;
    private readonly OutgoingBodies? _outgoing;
    private readonly IncomingBodies? _incoming;
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _sync = new();
    private readonly Queue<(FrameHeader Header, byte[] HeaderBytes, byte[] Payload)> _early = [];
    private long _earlyBytes;
    private readonly Dictionary<UInt128, long> _newest = [];
    private readonly HashSet<(UInt128 Run, long Generation)> _overflown = [];
    private RabbitCollectiveGroup? _group;
    private string? _lostReason;

    private RabbitDataLink(IConnection publishing, IConnection consuming, IChannel publisher, IChannel consumer, string queue, OutgoingBodies? outgoing, IncomingBodies? incoming)
    {
        _outgoing = outgoing;
        _incoming = incoming;
        _publishing = publishing;
        _consuming = consuming;
        _publisher = publisher;
        _consumer = consumer;
        QueueName = queue;
    }

    /// <summary>The queue this worker's tensors arrive in.</summary>
    public string QueueName { get; }

    /// <summary>Completes with the reason when a connection or the queue is lost: this link is of no more use.</summary>
    public Task<string> Lost => _lost.Task;

    /// <summary>Frames kept for a generation that this worker has not heard of yet.</summary>
    internal int EarlyFrames
    {
        get
        {
            lock (_sync)
            {
                return _early.Count;
            }
        }
    }

    /// <summary>Why the link is lost; null while it is not.</summary>
    internal string? LostReason => Volatile.Read(ref _lostReason);

    /// <summary>Connects.</summary>
    /// <param name="broker">The broker, with credentials.</param>
    /// <param name="name">Shown in the broker's list of connections.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>The link, consuming.</returns>
    /// <exception cref="RunFailedException">The broker cannot be reached, or refuses.</exception>
    public static async Task<RabbitDataLink> ConnectAsync(Uri broker, string name, CancellationToken cancellationToken)
    {
        var factory = BrokerConnection.Factory(broker);

        // Encrypted connections carry bodies within the library's own bytes: what crosses the socket cannot be told apart.
        var outgoing = factory.Ssl.Enabled ? null : new OutgoingBodies();
        var incoming = factory.Ssl.Enabled ? null : new IncomingBodies();
        IConnection? publishing = null;
        IConnection? consuming = null;
        try
        {
            factory.SocketFactory = BodySocketStream.Factory(outgoing: outgoing);
            publishing = await factory.CreateConnectionAsync(name + " publish", cancellationToken);
            factory.SocketFactory = BodySocketStream.Factory(incoming: incoming);
            consuming = await factory.CreateConnectionAsync(name + " consume", cancellationToken);

            // No confirms and no acknowledgements: what bounds the bytes under way is the receiver's progress, which comes
            // back as results and counts; whatever is lost ends the generation.
            var publisher = await publishing.CreateChannelAsync(cancellationToken: cancellationToken);
            var consumer = await consuming.CreateChannelAsync(cancellationToken: cancellationToken);
            var queue = await consumer.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true, cancellationToken: cancellationToken);
            var link = new RabbitDataLink(publishing, consuming, publisher, consumer, queue.QueueName, outgoing, incoming);
            if (outgoing is not null)
            {
                _ = link.EndWithAsync(outgoing);
                outgoing.FrameMax = publishing.FrameMax == 0 ? DefaultFrameMax : (int)Math.Min(publishing.FrameMax, DefaultFrameMax);
            }

            publishing.ConnectionShutdownAsync += link.OnShutdownAsync;
            consuming.ConnectionShutdownAsync += link.OnShutdownAsync;
            consumer.ChannelShutdownAsync += link.OnShutdownAsync;
            publisher.ChannelShutdownAsync += link.OnShutdownAsync;
            publisher.BasicReturnAsync += link.OnReturnedAsync;
            await consumer.BasicConsumeAsync(queue.QueueName, autoAck: true, new Consumer(link, consumer), cancellationToken);
            return link;
        }
        catch (Exception e)
        {
            await DisposeAsync(consuming);
            await DisposeAsync(publishing);
            if (BrokerConnection.IsFailure(e))
            {
                throw BrokerConnection.Failed(broker, e);
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Lose("the worker has closed its connection");
        await DisposeAsync(_consumer);
        await DisposeAsync(_publisher);
        await DisposeAsync(_consuming);
        await DisposeAsync(_publishing);
        _incoming?.Dispose();
    }

    /// <summary>Hands this link's frames to a group from now on; frames of an older generation are dropped.</summary>
    internal void Attach(RabbitCollectiveGroup group)
    {
        List<(FrameHeader Header, byte[] HeaderBytes, byte[] Payload)> waiting = [];
        lock (_sync)
        {
            _group = group;
            if (_newest.Count >= MaxRuns)
            {
                _newest.Clear();
            }

            _newest[group.RunHash] = Math.Max(group.Generation, _newest.GetValueOrDefault(group.RunHash, long.MinValue));
            for (var left = _early.Count; left > 0; left--)
            {
                var frame = _early.Dequeue();
                if (frame.Header.Run == group.RunHash && frame.Header.Generation == group.Generation)
                {
                    _earlyBytes -= frame.Payload.Length;
                    waiting.Add(frame);
                }
                else if (frame.Header.Run == group.RunHash && frame.Header.Generation < group.Generation)
                {
                    _earlyBytes -= frame.Payload.Length;
                    CollectiveMeters.Dropped("generation");
                }
                else
                {
                    _early.Enqueue(frame);
                }
            }

            if (_overflown.Contains((group.RunHash, group.Generation)))
            {
                // Before its frames are heard, among which some are missing.
                group.Fail(-1, "more came too early than this worker keeps for a generation it has not joined");
            }

            _overflown.RemoveWhere(o => o.Run == group.RunHash && o.Generation <= group.Generation);

            // Still within the lock: nothing that arrives meanwhile may overtake them.
            foreach (var (header, headerBytes, payload) in waiting)
            {
                group.Receive(header, headerBytes, new ReceivedBody(payload.AsMemory()));
            }
        }
    }

    /// <summary>Hands frames to nobody from now on, where the group is the one attached.</summary>
    internal void Detach(RabbitCollectiveGroup group)
    {
        lock (_sync)
        {
            if (_group == group)
            {
                _group = null;
            }
        }
    }

    /// <summary>Sends a frame to one queue, or one copy to each of several; completes when the memory may be reused.</summary>
    internal async Task PublishAsync(IReadOnlyList<string> queues, byte[] header, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        var headers = new Dictionary<string, object?>(2) { [HeaderKey] = header };
        if (queues.Count > 1)
        {
            headers.Add(CopiesKey, queues.Skip(1).Cast<object?>().ToList());
        }

        var properties = new BasicProperties { Headers = headers };
        if (_outgoing is null)
        {
            await _oneAtATime.WaitAsync(cancellationToken);
            try
            {
                await _publisher.BasicPublishAsync("", queues[0], mandatory: true, properties, payload, cancellationToken);
            }
            finally
            {
                _oneAtATime.Release();
            }

            return;
        }

        var body = new OutgoingBody(payload);
        await using var given = cancellationToken.UnsafeRegister(static b => ((OutgoingBody)b!).GiveBack(), body);
        await _oneAtATime.WaitAsync(cancellationToken);

        // Whoever gives up from here on has its memory back, but the message goes out: the next one would get its body.
        _ = PublishAnnouncedAsync(queues[0], properties, body);
        await body.Sent;
    }

    private async Task PublishAnnouncedAsync(string queue, BasicProperties properties, OutgoingBody body)
    {
        try
        {
            _outgoing!.Announce(body);
            await _publisher.BasicPublishAsync("", queue, mandatory: true, properties, ReadOnlyMemory<byte>.Empty, CancellationToken.None);
        }
        catch (Exception e)
        {
            // What is announced and what is published have fallen out of step.
            body.Fail(e);
            _outgoing!.End(e);
        }

        _oneAtATime.Release();
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

    private void Receive(IReadOnlyBasicProperties properties, ReceivedBody body)
    {
        var payload = body.Memory;
        var problem = "it has no header";
        FrameHeader header = default;
        var headerBytes = properties.Headers is { } headers && headers.TryGetValue(HeaderKey, out var value) ? value as byte[] : null;
        if (headerBytes is null || !FrameHeader.TryRead(headerBytes, payload.Length, out header, out problem))
        {
            // It may have been a frame that a running operation needs, unless it says itself that it is an old one.
            CollectiveMeters.Dropped("malformed");
            lock (_sync)
            {
                if (_group is not null && (header == default || header.Generation >= _group.Generation))
                {
                    _group.Malformed(problem);
                }
            }

            return;
        }

        lock (_sync)
        {
            var mine = _group is not null && _group.RunHash == header.Run && _group.Generation == header.Generation;
            if (!mine && _newest.TryGetValue(header.Run, out var newest) && header.Generation <= newest)
            {
                CollectiveMeters.Dropped("generation");
                return;
            }

            if (!mine)
            {
                if (_overflown.Contains((header.Run, header.Generation)) || _earlyBytes + payload.Length > MaxEarlyBytes || _early.Count >= MaxEarlyFrames)
                {
                    // The generation that they belong to will end when this rank joins it, not wait for them. Where too many
                    // generations do so, the gap among its frames ends it.
                    CollectiveMeters.Dropped("early");
                    if (_overflown.Count < MaxRuns)
                    {
                        _overflown.Add((header.Run, header.Generation));
                    }

                    return;
                }

                _earlyBytes += payload.Length;
                _early.Enqueue((header, headerBytes, payload.ToArray()));
                return;
            }

            _group!.Receive(header, headerBytes, body);
        }
    }

    private Task OnReturnedAsync(object sender, BasicReturnEventArgs returned)
    {
        RabbitCollectiveGroup? group;
        lock (_sync)
        {
            group = _group;
        }

        group?.QueueGone(returned.RoutingKey);
        return Task.CompletedTask;
    }

    private async Task EndWithAsync(OutgoingBodies outgoing) => Lose((await outgoing.Ended).Message);

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason)
    {
        Lose(reason.ReplyText);
        return Task.CompletedTask;
    }

    private void Lose(string reason)
    {
        if (Interlocked.CompareExchange(ref _lostReason, reason, null) is null)
        {
            _lost.TrySetResult(reason);
            RabbitCollectiveGroup? group;
            lock (_sync)
            {
                group = _group;
            }

            group?.LinkLost(reason);
        }
    }

    private sealed class Consumer(RabbitDataLink link, IChannel channel) : AsyncDefaultBasicConsumer(channel)
    {
        public override Task HandleBasicDeliverAsync(
            string consumerTag,
            ulong deliveryTag,
            bool redelivered,
            string exchange,
            string routingKey,
            IReadOnlyBasicProperties properties,
            ReadOnlyMemory<byte> body,
            CancellationToken cancellationToken = default)
        {
            if (link._incoming is null)
            {
                link.Receive(properties, new ReceivedBody(body));
                return Task.CompletedTask;
            }

            if (!link._incoming.TryTake(out var taken))
            {
                link.Lose("a delivery came without its body");
                return Task.CompletedTask;
            }

            try
            {
                link.Receive(properties, taken);
            }
            finally
            {
                taken.End();
            }

            return Task.CompletedTask;
        }

        public override Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken = default)
        {
            link.Lose("the broker has cancelled the consumer");
            return base.HandleBasicCancelAsync(consumerTag, cancellationToken);
        }
    }
}
