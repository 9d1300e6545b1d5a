using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>What a frame is.</summary>
internal enum FrameKind : ushort
{
    /// <summary>A piece of a held subtree, for the owner of its range.</summary>
    Contribution = 1,

    /// <summary>A piece of the finished sum.</summary>
    Result = 2,

    /// <summary>A rank has come to a barrier.</summary>
    Barrier = 3,

    /// <summary>A rank has given up; the payload is the reason in UTF-8.</summary>
    Abort = 4,
}

/// <summary>
/// One message of the data plane: a header and a piece of a vector as little-endian float32. Layout: magic, version, kind,
/// generation, step, rank, leaves, length, node level, node index, first element, payload bytes, run id and purpose (each a
/// length and UTF-8), payload.
/// </summary>
internal readonly record struct TensorFrame(
    FrameKind Kind, string RunId, long Generation, OperationKey Key, int Rank, int Leaves, int Length, TreeNode Node, int First, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Most payload bytes of a frame.</summary>
    internal const int MaxPayload = 1 << 20;

    private const uint Magic = 0x4D524653;
    private const ushort Version = 1;
    private const int FixedBytes = 60;
    private const int MaxName = 256;

    /// <summary>Elements of a vector that fit one frame.</summary>
    internal static int MaxElements => MaxPayload / sizeof(float);

    internal byte[] ToBytes()
    {
        var run = Encoding.UTF8.GetBytes(RunId);
        var purpose = Encoding.UTF8.GetBytes(Key.Purpose);
        if (run.Length > MaxName || purpose.Length > MaxName)
        {
            throw new ArgumentException($"The run's id or the operation's purpose is longer than {MaxName} bytes.");
        }

        var bytes = GC.AllocateUninitializedArray<byte>(FixedBytes + run.Length + purpose.Length + Payload.Length);
        var span = bytes.AsSpan();
        BinaryPrimitives.WriteUInt32LittleEndian(span, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(span[4..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(span[6..], (ushort)Kind);
        BinaryPrimitives.WriteInt64LittleEndian(span[8..], Generation);
        BinaryPrimitives.WriteInt64LittleEndian(span[16..], Key.Step);
        BinaryPrimitives.WriteInt32LittleEndian(span[24..], Rank);
        BinaryPrimitives.WriteInt32LittleEndian(span[28..], Leaves);
        BinaryPrimitives.WriteInt32LittleEndian(span[32..], Length);
        BinaryPrimitives.WriteInt32LittleEndian(span[36..], Node.Level);
        BinaryPrimitives.WriteInt32LittleEndian(span[40..], Node.Index);
        BinaryPrimitives.WriteInt32LittleEndian(span[44..], First);
        BinaryPrimitives.WriteInt32LittleEndian(span[48..], Payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(span[52..], run.Length);
        BinaryPrimitives.WriteInt32LittleEndian(span[56..], purpose.Length);
        run.CopyTo(span[FixedBytes..]);
        purpose.CopyTo(span[(FixedBytes + run.Length)..]);
        Payload.Span.CopyTo(span[(FixedBytes + run.Length + purpose.Length)..]);
        return bytes;
    }

    /// <summary>Reads a frame. Everything but the meaning of the fields within a group is checked here.</summary>
    /// <param name="bytes">A message's body; the frame's payload is a part of it.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="problem">What is wrong, or null.</param>
    /// <returns>Whether it is a frame.</returns>
    internal static bool TryRead(ReadOnlyMemory<byte> bytes, out TensorFrame frame, [NotNullWhen(false)] out string? problem)
    {
        frame = default;
        var span = bytes.Span;
        if (span.Length < FixedBytes || BinaryPrimitives.ReadUInt32LittleEndian(span) != Magic)
        {
            problem = $"{span.Length} bytes that are no frame";
            return false;
        }

        var version = BinaryPrimitives.ReadUInt16LittleEndian(span[4..]);
        if (version != Version)
        {
            problem = $"frame version {version}, not {Version}";
            return false;
        }

        var kind = (FrameKind)BinaryPrimitives.ReadUInt16LittleEndian(span[6..]);
        var payload = BinaryPrimitives.ReadInt32LittleEndian(span[48..]);
        var run = BinaryPrimitives.ReadInt32LittleEndian(span[52..]);
        var purpose = BinaryPrimitives.ReadInt32LittleEndian(span[56..]);
        if (!Enum.IsDefined(kind) || payload is < 0 or > MaxPayload || run is < 0 or > MaxName || purpose is < 0 or > MaxName
            || span.Length != FixedBytes + run + purpose + payload)
        {
            problem = $"frame kind {(ushort)kind} with lengths {run}, {purpose} and {payload} in {span.Length} bytes";
            return false;
        }

        var leaves = BinaryPrimitives.ReadInt32LittleEndian(span[28..]);
        var length = BinaryPrimitives.ReadInt32LittleEndian(span[32..]);
        var first = BinaryPrimitives.ReadInt32LittleEndian(span[44..]);
        var node = new TreeNode(BinaryPrimitives.ReadInt32LittleEndian(span[36..]), BinaryPrimitives.ReadInt32LittleEndian(span[40..]));
        if (kind is FrameKind.Contribution or FrameKind.Result
            && (leaves < 1 || length < 1 || payload % sizeof(float) != 0 || payload == 0 || first < 0 || (long)first + (payload / sizeof(float)) > length
                || (kind == FrameKind.Contribution && !new ReductionTree(leaves).Contains(node))))
        {
            problem = $"piece at {first} of node {TreeSum.Describe(node)} with {payload} bytes of {leaves} leaves and {length} elements";
            return false;
        }

        frame = new TensorFrame(
            kind,
            Encoding.UTF8.GetString(span.Slice(FixedBytes, run)),
            BinaryPrimitives.ReadInt64LittleEndian(span[8..]),
            new OperationKey(Encoding.UTF8.GetString(span.Slice(FixedBytes + run, purpose)), BinaryPrimitives.ReadInt64LittleEndian(span[16..])),
            BinaryPrimitives.ReadInt32LittleEndian(span[24..]),
            leaves,
            length,
            node,
            first,
            bytes[(FixedBytes + run + purpose)..]);
        problem = null;
        return true;
    }
}
