using System.Net;
using System.Net.Sockets;

namespace Scissorhands.Testing;

/// <summary>Which way bytes go through a relay.</summary>
public enum RelayDirection
{
    /// <summary>From the client to the broker.</summary>
    ToBroker,

    /// <summary>From the broker to the client.</summary>
    FromBroker,
}

/// <summary>
/// A network between a client and its broker that can be made to fail: it cuts connections, holds bytes back, slows them
/// down, or flips bits of what AMQP frames carry. Faults strike at a given number of bytes, so that a test hits the middle
/// of an operation without waiting for a time.
/// </summary>
public sealed class FaultyRelay : IAsyncDisposable
{
    private const int PieceBytes = 32 << 10;
    private readonly Uri _broker;
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _sync = new();
    private readonly HashSet<Link> _links = [];
    private readonly Way[] _ways = [new(), new()];
    private readonly Task _accepting;

    /// <summary>Listens.</summary>
    /// <param name="broker">Where connections are forwarded to.</param>
    /// <param name="port">The port to listen on; 0 for any that is free.</param>
    public FaultyRelay(Uri broker, int port = 0)
    {
        _broker = broker;
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Address = new UriBuilder(broker) { Host = "127.0.0.1", Port = ((IPEndPoint)_listener.LocalEndpoint).Port }.Uri;
        _accepting = AcceptAsync();
    }

    /// <summary>The broker's address by way of this relay.</summary>
    public Uri Address { get; }

    /// <summary>How long each piece of up to 32 KiB is kept on its way.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Connections that are open now.</summary>
    public int Connections
    {
        get
        {
            lock (_sync)
            {
                return _links.Count;
            }
        }
    }

    /// <summary>Breaks all connections, without a farewell; new ones are forwarded.</summary>
    public void Cut()
    {
        Link[] links;
        lock (_sync)
        {
            links = [.. _links];
        }

        foreach (var link in links)
        {
            link.Cut();
        }
    }

    /// <summary>Holds bytes back from now on, those of new connections too; sockets stay open.</summary>
    public void Stall(RelayDirection direction)
    {
        lock (_sync)
        {
            if (_ways[(int)direction] is { Open.Task.IsCompleted: true } way)
            {
                way.Open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                way.Held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Holds bytes of both directions back.</summary>
    public void Stall()
    {
        Stall(RelayDirection.ToBroker);
        Stall(RelayDirection.FromBroker);
    }

    /// <summary>Lets everything pass again, in order.</summary>
    public void Resume()
    {
        TaskCompletionSource[] open;
        lock (_sync)
        {
            open = [.. _ways.Select(static way => way.Open)];
        }

        foreach (var gate in open)
        {
            gate.TrySetResult();
        }
    }

    /// <summary>Completes when bytes of a direction are being held back by <see cref="Stall(RelayDirection)"/>.</summary>
    public Task Held(RelayDirection direction)
    {
        lock (_sync)
        {
            return _ways[(int)direction].Held.Task;
        }
    }

    /// <summary>Does something when so many further bytes have been forwarded, before any more are.</summary>
    /// <returns>Completes when it has been done.</returns>
    public Task After(RelayDirection direction, long bytes, Action fault)
    {
        var trigger = new Trigger(bytes, fault);
        lock (_sync)
        {
            _ways[(int)direction].Triggers.Add(trigger);
        }

        return trigger.Done.Task;
    }

    /// <summary>
    /// Flips the bits of one byte within the payload of the next AMQP frame of a kind. The framing stays as it is, so that the
    /// receiver gets a whole message that is not the one sent.
    /// </summary>
    /// <param name="direction">Which way.</param>
    /// <param name="frameType">AMQP's frame type: 2 a message's properties, 3 a part of its body.</param>
    /// <param name="minBytes">Least length of the frame's payload.</param>
    /// <param name="offset">Which byte of the payload.</param>
    /// <param name="mask">Which bits.</param>
    /// <returns>Completes when the byte has been flipped.</returns>
    public Task Flip(RelayDirection direction, byte frameType, int minBytes, int offset, byte mask = 0xFF)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, minBytes);
        var flip = new PendingFlip(frameType, minBytes, offset, mask);
        lock (_sync)
        {
            _ways[(int)direction].Flips.Add(flip);
        }

        return flip.Done.Task;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        Link[] links;
        lock (_sync)
        {
            links = [.. _links];
        }

        foreach (var link in links)
        {
            link.Cut();
        }

        Resume();
        await Task.WhenAll(links.Select(static link => link.Ended));
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }

            var link = new Link(client);
            lock (_sync)
            {
                _links.Add(link);
            }

            link.Ended = ForwardAsync(link);
        }
    }

    private async Task ForwardAsync(Link link)
    {
        try
        {
            await link.Broker.ConnectAsync(_broker.Host, _broker.Port, _stop.Token);

            // Whichever direction ends first ends the connection: no side of ours closes only its half.
            var toBroker = PumpAsync(link, RelayDirection.ToBroker);
            var fromBroker = PumpAsync(link, RelayDirection.FromBroker);
            await Task.WhenAny(toBroker, fromBroker);
            link.Cut();
            await Task.WhenAll(toBroker, fromBroker);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The broker is not there, or the relay is being closed: the client sees a lost connection.
        }
        finally
        {
            link.Cut();
            lock (_sync)
            {
                _links.Remove(link);
            }
        }
    }

    private async Task PumpAsync(Link link, RelayDirection direction)
    {
        var (from, to) = direction == RelayDirection.ToBroker ? (link.Client, link.Broker) : (link.Broker, link.Client);
        var way = _ways[(int)direction];
        var scanner = new FrameScanner(preamble: direction == RelayDirection.ToBroker ? 8 : 0);
        var buffer = new byte[PieceBytes];
        try
        {
            while (await from.ReceiveAsync(buffer, SocketFlags.None) is > 0 and var count)
            {
                if (Delay > TimeSpan.Zero)
                {
                    await Task.WhenAny(Task.Delay(Delay), link.Broken);
                }

                Action? found;
                lock (_sync)
                {
                    found = scanner.Scan(buffer.AsSpan(0, count), way.Flips);
                }

                found?.Invoke();
                for (var sent = 0; sent < count;)
                {
                    await Task.WhenAny(OpenAsync(way), link.Broken);
                    var (next, trigger) = NextTrigger(way, count - sent);
                    for (var end = sent + next; sent < end;)
                    {
                        sent += await to.SendAsync(buffer.AsMemory(sent, end - sent), SocketFlags.None);
                    }

                    trigger?.Fire();
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One of the two sides is gone, or the connection has been cut.
        }
    }

    private Task OpenAsync(Way way)
    {
        lock (_sync)
        {
            if (!way.Open.Task.IsCompleted)
            {
                way.Held.TrySetResult();
            }

            return way.Open.Task;
        }
    }

    /// <summary>How many of the bytes may go before a fault strikes, and which.</summary>
    private (int Bytes, Trigger? Trigger) NextTrigger(Way way, int bytes)
    {
        lock (_sync)
        {
            var next = way.Triggers.MinBy(static trigger => trigger.Left);
            var take = next is null ? bytes : (int)Math.Min(bytes, next.Left);
            foreach (var trigger in way.Triggers)
            {
                trigger.Left -= take;
            }

            if (next is not { Left: <= 0 })
            {
                return (take, null);
            }

            way.Triggers.Remove(next);
            return (take, next);
        }
    }

    /// <summary>A direction of all connections.</summary>
    private sealed class Way
    {
        internal Way() => Open.SetResult();

        internal TaskCompletionSource Open { get; set; } = new();

        internal TaskCompletionSource Held { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal List<Trigger> Triggers { get; } = [];

        internal List<PendingFlip> Flips { get; } = [];
    }

    private sealed class Trigger(long bytes, Action fault)
    {
        internal long Left { get; set; } = bytes;

        internal TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal void Fire()
        {
            fault();
            Done.TrySetResult();
        }
    }

    private sealed record PendingFlip(byte FrameType, int MinBytes, int Offset, byte Mask)
    {
        internal TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>A client's connection and its continuation to the broker.</summary>
    private sealed class Link(Socket client)
    {
        private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _cut;

        internal Socket Client { get; } = client;

        internal Socket Broker { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        internal Task Broken => _broken.Task;

        internal Task Ended { get; set; } = Task.CompletedTask;

        internal void Cut()
        {
            if (Interlocked.Exchange(ref _cut, 1) != 0)
            {
                return;
            }

            // A reset, not a farewell.
            Client.Close(0);
            Broker.Close(0);
            _broken.TrySetResult();
        }
    }

    /// <summary>Follows AMQP's framing: type, channel (2 bytes), length (4), payload, end mark.</summary>
    private sealed class FrameScanner(int preamble)
    {
        private readonly byte[] _head = new byte[7];
        private int _skip = preamble;
        private int _headBytes;
        private int _payload;
        private int _payloadLeft;
        private PendingFlip? _flip;

        /// <summary>Looks at the next bytes of the stream and flips what is to be flipped.</summary>
        /// <returns>Tells those who wait for a flip; null where nothing was flipped.</returns>
        internal Action? Scan(Span<byte> bytes, List<PendingFlip> flips)
        {
            Action? found = null;
            for (var at = 0; at < bytes.Length;)
            {
                if (_skip > 0)
                {
                    var skipped = Math.Min(_skip, bytes.Length - at);
                    _skip -= skipped;
                    at += skipped;
                    continue;
                }

                if (_headBytes < _head.Length)
                {
                    _head[_headBytes++] = bytes[at++];
                    if (_headBytes == _head.Length)
                    {
                        _payload = _payloadLeft = (_head[3] << 24) | (_head[4] << 16) | (_head[5] << 8) | _head[6];
                        _flip = flips.Find(flip => flip.FrameType == _head[0] && flip.MinBytes <= _payload);
                        flips.Remove(_flip!);
                    }

                    continue;
                }

                var count = Math.Min(_payloadLeft, bytes.Length - at);
                var start = _payload - _payloadLeft;
                if (_flip is { } pending && pending.Offset >= start && pending.Offset < start + count)
                {
                    bytes[at + pending.Offset - start] ^= pending.Mask;
                    found += () => pending.Done.TrySetResult();
                    _flip = null;
                }

                _payloadLeft -= count;
                at += count;
                if (_payloadLeft == 0)
                {
                    // The end mark is passed over like the preamble.
                    (_headBytes, _skip) = (0, 1);
                }
            }

            return found;
        }
    }
}
