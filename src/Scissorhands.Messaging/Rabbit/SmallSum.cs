using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// A sum whose vectors are so short that every rank sends its subtrees to all others and each adds the whole tree up: the
/// same additions, so the same bits, as when owners do it.
/// </summary>
/// <typeparam name="T">Type of the elements.</typeparam>
internal sealed class SmallSum<T>(int leaves, int length, int ranks, int maxBytes, WireFormat format)
    where T : unmanaged, IAdditionOperators<T, T, T>, IAdditiveIdentity<T, T>
{
    private const int HeadBytes = sizeof(int);
    private const int NodeBytes = 2 * sizeof(int);
    private readonly byte[]?[] _received = new byte[ranks][];

    private int VectorBytes => length * Unsafe.SizeOf<T>();

    private int HeadWord => (leaves << 2) ^ (length << 16) ^ (int)format;

    /// <summary>Packs this rank's subtrees for the others.</summary>
    /// <param name="rank">This rank.</param>
    /// <param name="held">Its subtrees.</param>
    /// <param name="wanted">Which elements of the sum it receives.</param>
    /// <param name="result">Receives them.</param>
    /// <param name="task">What this rank gives, and how the sum comes about.</param>
    /// <returns>What is wrong, or null.</returns>
    internal string? TryBegin(int rank, IReadOnlyList<TreePart<T>> held, IndexRange wanted, Memory<T> result, out GatherTask task)
    {
        var problem = TryPack(held, out var mine);
        task = new GatherTask(mine, [.. Enumerable.Repeat(GatherTask.AnyLength, ranks)], Take, () => Finish(rank, mine, wanted, result));
        return problem;
    }

    private string? TryPack(IReadOnlyList<TreePart<T>> held, out byte[] message)
    {
        message = [];
        var bytes = (long)held.Count * (NodeBytes + VectorBytes);
        if (bytes > maxBytes)
        {
            return $"{held.Count} subtrees of {length} elements are more than the {maxBytes} bytes a rank may send";
        }

        // Lossless whatever the format: everyone rounds alike. The leading word lets them notice where they would not.
        message = new byte[HeadBytes + bytes];
        BinaryPrimitives.WriteInt32LittleEndian(message, HeadWord);
        var rest = message.AsSpan(HeadBytes);
        foreach (var (node, values, _, _) in held)
        {
            if (values.Length != length)
            {
                return $"node {node} has {values.Length} elements, not {length}";
            }

            BinaryPrimitives.WriteInt32LittleEndian(rest, node.Level);
            BinaryPrimitives.WriteInt32LittleEndian(rest[sizeof(int)..], node.Index);
            MemoryMarshal.AsBytes(values.Span).CopyTo(rest[NodeBytes..]);
            rest = rest[(NodeBytes + VectorBytes)..];
        }

        return null;
    }

    /// <summary>Takes a piece of a rank's message; pieces come in order of their first byte, or not.</summary>
    private void Take(int rank, int first, ReadOnlySpan<byte> bytes)
    {
        var message = _received[rank] ?? [];
        if (message.Length < first + bytes.Length)
        {
            Array.Resize(ref message, first + bytes.Length);
            _received[rank] = message;
        }

        bytes.CopyTo(message.AsSpan(first));
    }

    private string? Finish(int rank, byte[] mine, IndexRange wanted, Memory<T> result)
    {
        _received[rank] = mine;
        var parts = new List<TreePart<T>>();
        var size = NodeBytes + VectorBytes;
        for (var source = 0; source < ranks; source++)
        {
            var message = _received[source] ?? [];
            if (message.Length < HeadBytes || BinaryPrimitives.ReadInt32LittleEndian(message) != HeadWord || (message.Length - HeadBytes) % size != 0)
            {
                return $"rank {source} sent {message.Length} bytes of another tree, length or format, here {leaves} leaves of {length} elements in {format}";
            }

            for (var at = HeadBytes; at < message.Length; at += size)
            {
                var node = new TreeNode(BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(at)), BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(at + sizeof(int))));
                parts.Add(new TreePart<T>(node, MemoryMarshal.Cast<byte, T>(message.AsSpan(at + NodeBytes, VectorBytes)).ToArray()));
            }
        }

        var sum = TreeSum<T>.TryCreate(new ReductionTree(leaves), parts, out _, out var problem, format);
        if (sum is null)
        {
            return problem;
        }

        if (length > 0)
        {
            var scratch = new T[sum.Depth * length];
            sum.Evaluate(0, length, scratch)[wanted.Start..wanted.End].CopyTo(result.Span);
        }

        return null;
    }
}
