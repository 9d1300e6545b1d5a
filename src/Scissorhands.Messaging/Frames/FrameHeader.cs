using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Frames;

/// <summary>What a frame is.</summary>
internal enum FrameKind : byte
{
    /// <summary>A chunk of a held subtree, for the owner of its range; without payload where the sender holds none.</summary>
    Contribution = 1,

    /// <summary>A chunk of a finished sum; without payload where only the owner keeps it.</summary>
    Result = 2,

    /// <summary>A chunk of what its sender gives to all.</summary>
    Piece = 3,

    /// <summary>How many chunks of a stream its receiver has taken.</summary>
    Taken = 4,

    /// <summary>A chunk of a leased leaf, for the owner of its range.</summary>
    Leaf = 5,

    /// <summary>How many chunks of a leased leaf the owner holds.</summary>
    LeafTaken = 6,

    /// <summary>The sender lives.</summary>
    Heartbeat = 7,

    /// <summary>The sender has given up; the payload is the reason in UTF-8.</summary>
    Abort = 8,

    /// <summary>The sender has left the group.</summary>
    Leave = 9,
}

/// <summary>Which operation a frame belongs to.</summary>
internal enum OperationKind : byte
{
    /// <summary>None: the frame is about the group.</summary>
    None = 0,

    /// <summary>Sum over the tree for all ranks.</summary>
    AllReduce = 1,

    /// <summary>Sum over the tree, each rank its range.</summary>
    ReduceScatter = 2,

    /// <summary>Every rank's bytes for all.</summary>
    AllGather = 3,

    /// <summary>One rank's bytes for all.</summary>
    Broadcast = 4,

    /// <summary>Sum of integers.</summary>
    SumCounts = 5,

    /// <summary>Sum of a few doubles over the tree for all ranks.</summary>
    SumDoubles = 6,

    /// <summary>A meeting.</summary>
    Barrier = 7,

    /// <summary>Sum of leased leaves.</summary>
    LeasedSum = 8,
}

/// <summary>
/// The head of one message of the data plane, of fixed length and little-endian; the payload is raw tensor memory.
/// Everything in it is covered by the frame's seal.
/// </summary>
internal readonly record struct FrameHeader
{
    /// <summary>Bytes of an encoded header, seal included.</summary>
    internal const int Size = 128;

    /// <summary>Bytes that the seal covers; the seal follows them.</summary>
    internal const int SealedBytes = 112;

    /// <summary>Most payload bytes of a frame: brokers since 4.0 refuse messages above 16 MiB.</summary>
    internal const int MaxPayload = 4 << 20;

    /// <summary>In <see cref="SentToOne"/>: the frame goes to all others.</summary>
    internal const ushort IsToAll = ushort.MaxValue;

    private const uint Magic = 0x4D524653;
    private const ushort CurrentVersion = 3;

    internal FrameKind Kind { get; init; }

    internal OperationKind Operation { get; init; }

    /// <summary>The wire format of the sum.</summary>
    internal WireFormat Format { get; init; }

    /// <summary>The encoding of the payload's elements, as the wire format has it for this node of the tree.</summary>
    internal WireFormat Encoding { get; init; }

    /// <summary>Rank of the sender.</summary>
    internal int Source { get; init; }

    /// <summary>Which of the <see cref="Parts"/> subtrees of a chunk this is.</summary>
    internal int Part { get; init; }

    /// <summary>Frames of one chunk from one sender.</summary>
    internal int Parts { get; init; }

    /// <summary>Hash of the run's id.</summary>
    internal UInt128 Run { get; init; }

    internal long Generation { get; init; }

    /// <summary>Hash of the operation's purpose.</summary>
    internal ulong Purpose { get; init; }

    internal long Step { get; init; }

    /// <summary>Leaves of the tree; 0 where there is none.</summary>
    internal int Leaves { get; init; }

    /// <summary>Elements of the whole vector (bytes, where bytes are exchanged).</summary>
    internal int Length { get; init; }

    /// <summary>The subtree, or the leaf at level 0.</summary>
    internal TreeNode Node { get; init; }

    internal int Chunk { get; init; }

    /// <summary>Chunks of the stream; for <see cref="FrameKind.Taken"/> the number taken.</summary>
    internal int Chunks { get; init; }

    /// <summary>First element of the chunk within the vector.</summary>
    internal int First { get; init; }

    /// <summary>Elements of the chunk.</summary>
    internal int Count { get; init; }

    internal int PayloadBytes { get; init; }

    /// <summary>Frames of the sender's life to this receiver alone before this one, modulo <see cref="IsToAll"/>; or that value.</summary>
    internal ushort SentToOne { get; init; }

    /// <summary>Frames of the sender's life to all others before this one, modulo 65,536.</summary>
    internal ushort SentToAll { get; init; }

    /// <summary>Random number of the sender's life in this generation.</summary>
    internal ulong Instance { get; init; }

    /// <summary>Number of the frame within the sender's life; no two frames share it.</summary>
    internal ulong Counter { get; init; }

    /// <summary>Writes the header without its seal.</summary>
    /// <param name="bytes">At least <see cref="SealedBytes"/>.</param>
    internal void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], CurrentVersion);
        bytes[6] = (byte)Kind;
        bytes[7] = (byte)Operation;
        bytes[8] = (byte)Format;
        bytes[9] = (byte)Encoding;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[10..], (ushort)Source);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], (ushort)Part);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[14..], (ushort)Parts);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[16..], Run);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[40..], Purpose);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[48..], Step);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[56..], Leaves);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[60..], Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[64..], Node.Level);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[68..], Node.Index);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[72..], Chunk);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[76..], Chunks);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[80..], First);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[84..], Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[88..], PayloadBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[92..], SentToOne);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[94..], SentToAll);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[96..], Instance);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[104..], Counter);
    }

    /// <summary>Reads a header and checks what can be checked without knowing the group.</summary>
    /// <param name="bytes">Untrusted bytes.</param>
    /// <param name="payloadBytes">Bytes that came with it.</param>
    /// <param name="header">The header.</param>
    /// <param name="problem">What is wrong, or null.</param>
    /// <returns>Whether it is a header.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> bytes, int payloadBytes, out FrameHeader header, [NotNullWhen(false)] out string? problem)
    {
        header = default;
        if (bytes.Length != Size || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
        {
            problem = $"{bytes.Length} bytes that are no frame's header";
            return false;
        }

        var version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        if (version != CurrentVersion)
        {
            problem = $"frame version {version}, not {CurrentVersion}";
            return false;
        }

        header = new FrameHeader
        {
            Kind = (FrameKind)bytes[6],
            Operation = (OperationKind)bytes[7],
            Format = (WireFormat)bytes[8],
            Encoding = (WireFormat)bytes[9],
            Source = BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]),
            Part = BinaryPrimitives.ReadUInt16LittleEndian(bytes[12..]),
            Parts = BinaryPrimitives.ReadUInt16LittleEndian(bytes[14..]),
            Run = BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]),
            Generation = BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            Purpose = BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
            Step = BinaryPrimitives.ReadInt64LittleEndian(bytes[48..]),
            Leaves = BinaryPrimitives.ReadInt32LittleEndian(bytes[56..]),
            Length = BinaryPrimitives.ReadInt32LittleEndian(bytes[60..]),
            Node = new TreeNode(BinaryPrimitives.ReadInt32LittleEndian(bytes[64..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[68..])),
            Chunk = BinaryPrimitives.ReadInt32LittleEndian(bytes[72..]),
            Chunks = BinaryPrimitives.ReadInt32LittleEndian(bytes[76..]),
            First = BinaryPrimitives.ReadInt32LittleEndian(bytes[80..]),
            Count = BinaryPrimitives.ReadInt32LittleEndian(bytes[84..]),
            PayloadBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes[88..]),
            SentToOne = BinaryPrimitives.ReadUInt16LittleEndian(bytes[92..]),
            SentToAll = BinaryPrimitives.ReadUInt16LittleEndian(bytes[94..]),
            Instance = BinaryPrimitives.ReadUInt64LittleEndian(bytes[96..]),
            Counter = BinaryPrimitives.ReadUInt64LittleEndian(bytes[104..]),
        };
        if (!Enum.IsDefined(header.Kind) || !Enum.IsDefined(header.Operation) || !Enum.IsDefined(header.Format) || !Enum.IsDefined(header.Encoding)
            || header.PayloadBytes != payloadBytes || payloadBytes > MaxPayload
            || header.Leaves < 0 || header.Length < 0 || header.Chunk < 0 || header.Chunks < 0 || header.First < 0 || header.Count < 0
            || (long)header.First + header.Count > header.Length || header.Part > header.Parts)
        {
            problem = $"a frame of kind {bytes[6]} whose fields contradict each other or its {payloadBytes} bytes of payload";
            return false;
        }

        problem = null;
        return true;
    }
}
