using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Scissorhands.Messaging.Frames;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>
/// Takes the bodies out of the messages that come, before the client library sees them: it is shown content headers that
/// announce nothing, each when its body is complete, so that bodies and deliveries follow in the same order.
/// </summary>
internal sealed class IncomingBodies : IDisposable
{
    // More is not kept: nobody sends a tensor's chunk in more, and anyone may have sent it.
    private const int MaxBodyBytes = FrameHeader.MaxPayload;

    // Frames other than of bodies are small; the largest that is let through.
    private const int MaxOtherBytes = 128 << 10;

    // Less is not worth a call of its own.
    private const int LeastBytes = 32 << 10;
    private readonly ConcurrentQueue<ReceivedBody> _complete = new();
    private readonly ArrayBufferWriter<byte> _output = new(4096);
    private byte[] _header = [];
    private int _headerBytes;
    private byte[]? _body;
    private int _bodyBytes;
    private int _filled;
    private int _frameLeft;
    private int _taken;
    private bool _discards;

    /// <summary>Where the rest of the present frame of a body goes, if nothing lies before it.</summary>
    internal Memory<byte> Rest => _frameLeft > 1 && !_discards ? _body.AsMemory(_filled, _frameLeft - 1) : default;

    /// <summary>Whether frames of a body have yet to come.</summary>
    internal bool IsWithinBody => _body is not null && !_discards && _bodyBytes - _filled > LeastBytes;

    /// <summary>The body of the delivery that the library hands over.</summary>
    internal bool TryTake([NotNullWhen(true)] out ReceivedBody? body) => _complete.TryDequeue(out body);

    /// <summary>So many bytes have come into <see cref="Rest"/>.</summary>
    internal void Advance(int bytes)
    {
        _filled += bytes;
        _frameLeft -= bytes;
    }

    /// <summary>Takes bodies out of what has come.</summary>
    /// <param name="bytes">What has come.</param>
    /// <returns>Bytes that are dealt with; the others come again, with more behind them.</returns>
    /// <exception cref="IOException">The bytes are not the protocol's.</exception>
    internal int Scan(ReadOnlySpan<byte> bytes)
    {
        var done = 0;
        while (done < bytes.Length)
        {
            var left = bytes[done..];
            if (_frameLeft > 1)
            {
                var count = Math.Min(_frameLeft - 1, left.Length);
                if (!_discards)
                {
                    left[..count].CopyTo(_body.AsSpan(_filled));
                }

                Advance(count);
                done += count;
                continue;
            }

            if (_frameLeft == 1)
            {
                Require(left[0] == AmqpFrame.End, "a frame without an end");
                _frameLeft = 0;
                done++;
                if (_filled == _bodyBytes)
                {
                    Complete();
                }

                continue;
            }

            if (left.Length < AmqpFrame.HeadBytes)
            {
                break;
            }

            var payload = AmqpFrame.PayloadBytes(left);
            if (left[0] == AmqpFrame.Body)
            {
                Require(_body is not null && payload <= _bodyBytes - _filled, "a body that was not announced");
                _frameLeft = (int)payload + 1;
                done += AmqpFrame.HeadBytes;
                continue;
            }

            Require(payload <= MaxOtherBytes, $"a frame of {payload} bytes");
            var frame = (int)payload + AmqpFrame.AroundBytes;
            if (left.Length < frame)
            {
                break;
            }

            if (left[0] == AmqpFrame.Header)
            {
                Begin(left[..frame]);
            }
            else
            {
                _output.Write(left[..frame]);
            }

            done += frame;
        }

        return done;
    }

    /// <summary>What the library is to see.</summary>
    /// <returns>Bytes written.</returns>
    internal int Take(Span<byte> destination)
    {
        var count = Math.Min(destination.Length, _output.WrittenCount - _taken);
        _output.WrittenSpan.Slice(_taken, count).CopyTo(destination);
        _taken += count;
        if (_taken == _output.WrittenCount)
        {
            _taken = 0;
            _output.ResetWrittenCount();
        }

        return count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_complete.TryDequeue(out var body))
        {
            body.Release();
        }
    }

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new IOException($"The broker has sent {what}.");
        }
    }

    private void Begin(ReadOnlySpan<byte> frame)
    {
        Require(_body is null && frame.Length >= AmqpFrame.AroundBytes + 12, "a content header out of place");
        var bytes = AmqpFrame.BodyBytes(frame);
        Require(bytes <= int.MaxValue, $"a message of {bytes} bytes");
        if (_header.Length < frame.Length)
        {
            _header = new byte[frame.Length];
        }

        frame.CopyTo(_header);
        AmqpFrame.SetBodyBytes(_header, 0);
        _headerBytes = frame.Length;
        _bodyBytes = (int)bytes;
        _filled = 0;
        _discards = _bodyBytes > MaxBodyBytes;
        _body = _bodyBytes == 0 || _discards ? [] : ArrayPool<byte>.Shared.Rent(_bodyBytes);
        if (_bodyBytes == 0)
        {
            Complete();
        }
    }

    private void Complete()
    {
        // Without the body that its head announces, a frame is malformed.
        _complete.Enqueue(new ReceivedBody(new ArraySegment<byte>(_body!, 0, _discards ? 0 : _bodyBytes)));
        _body = null;
        _output.Write(_header.AsSpan(0, _headerBytes));
    }
}
