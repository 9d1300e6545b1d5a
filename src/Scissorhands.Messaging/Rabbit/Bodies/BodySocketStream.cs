using System.Net.Sockets;
using RabbitMQ.Client;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>
/// The socket under a connection of the client library, read and written in large pieces, with the bodies of messages
/// passing the library by: it publishes and sees messages with empty bodies, and <see cref="OutgoingBodies"/> and
/// <see cref="IncomingBodies"/> put them in and take them out where the bytes cross the socket. The library would copy each
/// body three times, in pieces of 4 KiB. What the broker sees is the protocol as it stands.
/// </summary>
internal sealed class BodySocketStream : NetworkStream
{
    // Both directions stay within the core's cache.
    private const int BufferBytes = 192 << 10;

    private const int HeadsBytes = 2 << 10;

    // From here on a call of its own costs less than a copy.
    private const int DirectBytes = 32 << 10;

    // What is sent by way of a copy when the socket was full.
    private const int WaitingBytes = 64 << 10;
    private readonly OutgoingBodies? _outgoing;
    private readonly IncomingBodies? _incoming;
    private readonly byte[] _read = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private readonly byte[] _write = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private int _readStart;
    private int _readEnd;
    private int _written;

    private BodySocketStream(Socket socket, OutgoingBodies? outgoing, IncomingBodies? incoming)
        : base(socket)
    {
        _outgoing = outgoing;
        _incoming = incoming;
    }

    /// <summary>What makes the sockets of one connection.</summary>
    /// <param name="outgoing">Puts bodies in; null where the connection is encrypted above this stream, or publishes nothing.</param>
    /// <param name="incoming">Takes bodies out; null likewise.</param>
    internal static Func<AddressFamily, ITcpClient> Factory(OutgoingBodies? outgoing = null, IncomingBodies? incoming = null) =>
        family => new Adapter(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }, outgoing, incoming);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var count = Take(buffer);
            if (count > 0 || buffer.IsEmpty)
            {
                return count;
            }

            if (_readStart == _readEnd && _incoming?.Rest is { IsEmpty: false } rest)
            {
                // Nothing else lies before the rest of a body's frame: no need to copy it from one buffer to the other.
                var direct = await Socket.ReceiveAsync(rest, SocketFlags.None, cancellationToken);
                if (direct == 0)
                {
                    return 0;
                }

                _incoming.Advance(direct);
                continue;
            }

            if (_readStart > 0)
            {
                _read.AsSpan(_readStart, _readEnd - _readStart).CopyTo(_read);
                _readEnd -= _readStart;
                _readStart = 0;
            }

            // Within a body only the next frame's head is wanted here; its payload has a place of its own.
            var room = _incoming is { IsWithinBody: true } ? Math.Min(HeadsBytes, BufferBytes - _readEnd) : BufferBytes - _readEnd;
            var received = await Socket.ReceiveAsync(_read.AsMemory(_readEnd, room), SocketFlags.None, cancellationToken);
            if (received == 0)
            {
                return 0;
            }

            _readEnd += received;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                if (BufferBytes - _written < OutgoingBodies.LeastRoom)
                {
                    await SendAsync(cancellationToken);
                }

                var (taken, written) = _outgoing?.Scan(buffer.Span, _write.AsSpan(_written)) ?? Copy(buffer.Span);
                _written += written;
                buffer = buffer[taken..];
                while (_outgoing is { Body.Left: > 0 })
                {
                    await WriteBodyAsync(_outgoing.Body, cancellationToken);
                }
            }
        }
        catch (Exception e)
        {
            _outgoing?.End(e);
            throw;
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(cancellationToken);
        }
        catch (Exception e)
        {
            _outgoing?.End(e);
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _outgoing?.End(new IOException("The connection to the broker is closed."));
        }

        base.Dispose(disposing);
    }

    private int Take(Memory<byte> buffer)
    {
        if (_incoming is not null)
        {
            _readStart += _incoming.Scan(_read.AsSpan(_readStart, _readEnd - _readStart));
            return _incoming.Take(buffer.Span);
        }

        var count = Math.Min(buffer.Length, _readEnd - _readStart);
        _read.AsSpan(_readStart, count).CopyTo(buffer.Span);
        _readStart += count;
        return count;
    }

    private (int Taken, int Written) Copy(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(bytes.Length, BufferBytes - _written);
        bytes[..count].CopyTo(_write.AsSpan(_written));
        return (count, count);
    }

    private async ValueTask WriteBodyAsync(BodyFrames body, CancellationToken cancellationToken)
    {
        if (body.Left >= DirectBytes && GatheredSend.IsSupported)
        {
            var sent = body.Send(Socket.SafeHandle, _write.AsSpan(0, _written));
            if (sent > 0)
            {
                var early = Math.Min(sent, _written);
                _write.AsSpan(early, _written - early).CopyTo(_write);
                _written -= early;
                return;
            }

            // The socket is full. Waiting for it must not hold on to the body's memory: a piece waits as a copy.
            _written += body.Write(_write.AsSpan(_written, Math.Min(WaitingBytes, BufferBytes - _written)));
            await SendAsync(cancellationToken);
            return;
        }

        if (_written == BufferBytes)
        {
            await SendAsync(cancellationToken);
        }

        _written += body.Write(_write.AsSpan(_written));
    }

    private async ValueTask SendAsync(CancellationToken cancellationToken)
    {
        var bytes = _write.AsMemory(0, _written);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await Socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }

        _written = 0;
    }

    private sealed class Adapter(Socket socket, OutgoingBodies? outgoing, IncomingBodies? incoming) : TcpClientAdapter(socket)
    {
        public override NetworkStream GetStream() => new BodySocketStream(Client, outgoing, incoming);
    }
}
