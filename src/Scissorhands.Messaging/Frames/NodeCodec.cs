using System.Runtime.InteropServices;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Frames;

/// <summary>Chunks of a node of the tree as payload bytes: lossless for what the node holds in the sum's format.</summary>
internal static class NodeCodec
{
    /// <summary>The encoding of a node's elements.</summary>
    /// <param name="format">The sum's format.</param>
    /// <param name="isLeaf">Whether the node holds a single leaf that is not the sum itself.</param>
    internal static WireFormat EncodingOf(WireFormat format, bool isLeaf) => format == WireFormat.Int8 && !isLeaf ? WireFormat.Bf16 : format;

    /// <summary>Payload bytes of so many elements.</summary>
    internal static int Bytes(WireFormat encoding, int count) => encoding switch
    {
        WireFormat.Fp32 => count * sizeof(float),
        WireFormat.Bf16 => Bfloat16.EncodedBytes(count),
        _ => BlockInt8.EncodedBytes(count),
    };

    /// <summary>Rounds and encodes a chunk; it begins at a block's first element.</summary>
    /// <param name="encoding">Not <see cref="WireFormat.Fp32"/>, which is sent from where it lies.</param>
    /// <param name="values">The chunk.</param>
    /// <param name="bytes">Receives <see cref="Bytes"/>.</param>
    internal static void Encode(WireFormat encoding, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        if (encoding == WireFormat.Int8)
        {
            BlockInt8.QuantizeAndEncode(values, bytes);
        }
        else
        {
            Bfloat16.Encode(values, bytes);
        }
    }

    /// <summary>Decodes a chunk.</summary>
    /// <param name="encoding">Its encoding.</param>
    /// <param name="bytes">Exactly <see cref="Bytes"/>.</param>
    /// <param name="values">Receives the elements.</param>
    /// <exception cref="InvalidDataException">Bytes that are never written.</exception>
    internal static void Decode(WireFormat encoding, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (encoding)
        {
            case WireFormat.Fp32:
                bytes.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case WireFormat.Bf16:
                Bfloat16.Decode(bytes, values);
                break;
            default:
                BlockInt8.Decode(bytes, values);
                break;
        }
    }
}
