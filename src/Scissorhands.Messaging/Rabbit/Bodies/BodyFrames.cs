using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>
/// The frames of one body as a stream of bytes that can be taken up anywhere: copied, or sent from where the body lies. All
/// frames but the last are as large as broker and client have agreed on.
/// </summary>
internal sealed unsafe class BodyFrames
{
    private readonly GatheredSend _gather = new();
    private readonly byte[] _heads = GC.AllocateArray<byte>(AmqpFrame.HeadBytes * GatheredSend.MaxPieces, pinned: true);
    private readonly byte[] _end = GC.AllocateArray<byte>(1, pinned: true);
    private OutgoingBody? _body;
    private int _frameMax;
    private ushort _channel;
    private long _bytes;
    private long _at;

    internal BodyFrames() => _end[0] = AmqpFrame.End;

    /// <summary>Bytes of the stream that are left.</summary>
    internal long Left => _bytes - _at;

    private int PayloadMax => _frameMax - AmqpFrame.AroundBytes;

    /// <summary>Begins a body's stream.</summary>
    internal void Begin(OutgoingBody body, int frameMax, ushort channel)
    {
        _body = body;
        _frameMax = frameMax;
        _channel = channel;
        _at = 0;
        _bytes = body.Length + ((long)AmqpFrame.AroundBytes * ((body.Length + PayloadMax - 1) / PayloadMax));
    }

    /// <summary>Copies the next bytes.</summary>
    /// <returns>Bytes written: all that are left, or have room.</returns>
    /// <exception cref="IOException">The connection has ended.</exception>
    internal int Write(Span<byte> destination)
    {
        var written = 0;
        Span<byte> head = stackalloc byte[AmqpFrame.HeadBytes];
        lock (_body!.Sync)
        {
            ThrowIfGivenUp();
            while (written < destination.Length && Left > 0)
            {
                var piece = Next(_at, head);
                var source = piece.Kind switch
                {
                    PieceKind.Head => head.Slice(piece.Start, piece.Bytes),
                    PieceKind.Payload => _body.Memory.Span.Slice(piece.Start, piece.Bytes),
                    _ => _end,
                };
                source = source[..Math.Min(source.Length, destination.Length - written)];
                source.CopyTo(destination[written..]);
                written += source.Length;
                _at += source.Length;
            }
        }

        Settle();
        return written;
    }

    /// <summary>Sends what the socket takes without waiting.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="before">What goes before, in pinned memory.</param>
    /// <returns>Bytes sent, those before included.</returns>
    /// <exception cref="IOException">The connection is lost.</exception>
    internal int Send(SafeSocketHandle socket, Span<byte> before)
    {
        int sent;
        lock (_body!.Sync)
        {
            ThrowIfGivenUp();
            fixed (byte* payload = _body.Memory.Span)
            {
                _gather.Clear();
                if (!before.IsEmpty)
                {
                    _gather.Add((byte*)Unsafe.AsPointer(ref before[0]), before.Length);
                }

                var at = _at;
                for (var slot = 0; at < _bytes && !_gather.IsFull; slot += AmqpFrame.HeadBytes)
                {
                    var head = _heads.AsSpan(slot, AmqpFrame.HeadBytes);
                    var piece = Next(at, head);
                    var start = piece.Kind switch
                    {
                        PieceKind.Head => (byte*)Unsafe.AsPointer(ref head[piece.Start]),
                        PieceKind.Payload => payload + piece.Start,
                        _ => (byte*)Unsafe.AsPointer(ref _end[0]),
                    };
                    _gather.Add(start, piece.Bytes);
                    at += piece.Bytes;
                }

                sent = _gather.Send(socket);
            }
        }

        _at += Math.Max(0, sent - before.Length);
        Settle();
        return sent;
    }

    private (PieceKind Kind, int Start, int Bytes) Next(long at, Span<byte> head)
    {
        var (frame, within) = ((int)(at / _frameMax), (int)(at % _frameMax));
        var first = frame * PayloadMax;
        var payload = Math.Min(PayloadMax, _body!.Length - first);
        if (within < AmqpFrame.HeadBytes)
        {
            AmqpFrame.WriteBodyHead(head, _channel, payload);
            return (PieceKind.Head, within, AmqpFrame.HeadBytes - within);
        }

        within -= AmqpFrame.HeadBytes;
        return within < payload ? (PieceKind.Payload, first + within, payload - within) : (PieceKind.End, 0, 1);
    }

    private void ThrowIfGivenUp()
    {
        if (_body!.Memory.Length != _body.Length)
        {
            throw new IOException("The connection has ended within a message.");
        }
    }

    private void Settle()
    {
        if (Left == 0)
        {
            _body!.Complete();
            _body = null;
        }
    }

    private enum PieceKind
    {
        Head,
        Payload,
        End,
    }
}
