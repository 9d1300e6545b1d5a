namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>
/// Puts the bodies into the messages that the client library writes without: each content header takes the next body that
/// was announced. Announced in the order of publishing; written by the one task that writes to the socket.
/// </summary>
internal sealed class OutgoingBodies
{
    /// <summary>Room that <see cref="Scan"/> needs at least.</summary>
    internal const int LeastRoom = 64;

    // The client's greeting is no frame.
    private const int GreetingBytes = 8;

    // A content header as far as the size it announces.
    private const int AnnouncedBytes = AmqpFrame.HeadBytes + 12;
    private readonly Lock _sync = new();
    private readonly Queue<OutgoingBody> _announced = [];
    private readonly byte[] _head = new byte[AnnouncedBytes];
    private readonly TaskCompletionSource<Exception> _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _ended;
    private OutgoingBody? _next;
    private ushort _channel;
    private int _held;
    private long _plainLeft = GreetingBytes;
    private bool _endsHeader;

    /// <summary>Largest frame that broker and client have agreed on, in bytes.</summary>
    internal int FrameMax { get; set; } = 4096;

    /// <summary>The frames of the body that has to follow what was written; none where none are left.</summary>
    internal BodyFrames Body { get; } = new();

    /// <summary>Completes with the reason when nothing is sent any more.</summary>
    internal Task<Exception> Ended => _over.Task;

    /// <summary>The next message published has this body.</summary>
    /// <exception cref="IOException">The connection has ended.</exception>
    internal void Announce(OutgoingBody body)
    {
        lock (_sync)
        {
            if (_ended is not null)
            {
                throw new IOException(_ended.Message, _ended);
            }

            _announced.Enqueue(body);
        }
    }

    /// <summary>Copies what the library writes, to the end of a content header at most.</summary>
    /// <param name="bytes">What it writes.</param>
    /// <param name="destination">Receives it; at least <see cref="LeastRoom"/>.</param>
    /// <returns>Bytes taken and bytes written.</returns>
    /// <exception cref="IOException">The library writes what was not announced.</exception>
    internal (int Taken, int Written) Scan(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        var taken = 0;
        var written = 0;
        while (taken < bytes.Length && Body.Left == 0)
        {
            if (_plainLeft > 0)
            {
                var count = (int)Math.Min(_plainLeft, Math.Min(bytes.Length - taken, destination.Length - written));
                if (count == 0)
                {
                    break;
                }

                bytes.Slice(taken, count).CopyTo(destination[written..]);
                taken += count;
                written += count;
                _plainLeft -= count;
                if (_plainLeft == 0 && _endsHeader)
                {
                    _endsHeader = false;
                    Body.Begin(_next!, FrameMax, _channel);
                }

                continue;
            }

            // Held back until it is known what it announces, since that is to be changed.
            if (destination.Length - written < AnnouncedBytes)
            {
                break;
            }

            var wanted = _held >= AmqpFrame.HeadBytes && _head[0] == AmqpFrame.Header ? AnnouncedBytes : AmqpFrame.HeadBytes;
            var more = Math.Min(wanted - _held, bytes.Length - taken);
            bytes.Slice(taken, more).CopyTo(_head.AsSpan(_held));
            taken += more;
            _held += more;
            if (_held < wanted || (wanted == AmqpFrame.HeadBytes && _head[0] == AmqpFrame.Header))
            {
                continue;
            }

            if (_head[0] == AmqpFrame.Header)
            {
                NextBody();
            }

            _head.AsSpan(0, _held).CopyTo(destination[written..]);
            written += _held;
            _plainLeft = AmqpFrame.PayloadBytes(_head) + AmqpFrame.AroundBytes - _held;
            _held = 0;
        }

        return (taken, written);
    }

    /// <summary>The connection has ended: nothing that was announced is sent any more.</summary>
    internal void End(Exception reason)
    {
        OutgoingBody[] waiting;
        lock (_sync)
        {
            _ended ??= reason;
            waiting = [.. _announced];
            _announced.Clear();
        }

        _over.TrySetResult(reason);
        _next?.Fail(reason);
        foreach (var body in waiting)
        {
            body.Fail(reason);
        }
    }

    private void NextBody()
    {
        lock (_sync)
        {
            if (_ended is not null || AmqpFrame.BodyBytes(_head) != 0 || !_announced.TryDequeue(out _next))
            {
                throw new IOException(_ended?.Message ?? "A message was published whose body was not announced.");
            }
        }

        if (_next.Length == 0)
        {
            _next.Complete();
        }

        AmqpFrame.SetBodyBytes(_head, _next.Length);
        _channel = AmqpFrame.Channel(_head);
        _endsHeader = true;
    }
}
