using System.Buffers.Binary;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>Where things lie in frames of AMQP 0-9-1: type, channel and size; the payload; an octet that ends it.</summary>
internal static class AmqpFrame
{
    /// <summary>Bytes before the payload.</summary>
    internal const int HeadBytes = 7;

    /// <summary>Bytes around the payload.</summary>
    internal const int AroundBytes = HeadBytes + 1;

    /// <summary>Frame of a content header: class, weight, body size, properties.</summary>
    internal const byte Header = 2;

    /// <summary>Frame of a part of a body.</summary>
    internal const byte Body = 3;

    /// <summary>The octet after the payload.</summary>
    internal const byte End = 0xCE;

    private const int SizeAt = 3;

    // Behind class and weight.
    private const int BodySizeAt = HeadBytes + 4;

    /// <summary>Bytes of the payload.</summary>
    internal static uint PayloadBytes(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt32BigEndian(frame[SizeAt..]);

    /// <summary>Bytes of the body that a content header announces.</summary>
    internal static ulong BodyBytes(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt64BigEndian(frame[BodySizeAt..]);

    /// <summary>Makes a content header announce a body of so many bytes.</summary>
    internal static void SetBodyBytes(Span<byte> frame, int bytes) => BinaryPrimitives.WriteUInt64BigEndian(frame[BodySizeAt..], (ulong)bytes);

    /// <summary>Writes what precedes a payload; the channel is that of a frame before it.</summary>
    internal static void WriteBodyHead(Span<byte> frame, ushort channel, int payloadBytes)
    {
        frame[0] = Body;
        BinaryPrimitives.WriteUInt16BigEndian(frame[1..], channel);
        BinaryPrimitives.WriteInt32BigEndian(frame[SizeAt..], payloadBytes);
    }

    /// <summary>The frame's channel.</summary>
    internal static ushort Channel(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt16BigEndian(frame[1..]);
}
