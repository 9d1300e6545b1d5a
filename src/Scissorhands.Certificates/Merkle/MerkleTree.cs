using System.Numerics;
using System.Security.Cryptography;

namespace Scissorhands.Certificates.Merkle;

/// <summary>The Merkle hash tree of RFC 6962, section 2.1, over SHA-256.</summary>
public sealed class MerkleTree
{
    /// <summary>Bytes of a hash.</summary>
    public const int HashBytes = SHA256.HashSizeInBytes;

    // Leaves first. The tree of the RFC splits at the largest power of two; pairing neighbours and carrying an odd one up
    // makes the same tree from below.
    private readonly List<byte[][]> _levels = [];

    /// <summary>Builds the tree.</summary>
    /// <param name="leaves">Data of the leaves, in order.</param>
    public MerkleTree(IEnumerable<byte[]> leaves)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        byte[][] level = [.. leaves.Select(static leaf => LeafHash(leaf))];
        _levels.Add(level);
        while (level.Length > 1)
        {
            var above = new byte[(level.Length + 1) / 2][];
            for (var i = 0; i < above.Length; i++)
            {
                above[i] = (2 * i) + 1 < level.Length ? NodeHash(level[2 * i], level[(2 * i) + 1]) : level[2 * i];
            }

            _levels.Add(above);
            level = above;
        }

        Root = level.Length == 0 ? SHA256.HashData([]) : level[0];
    }

    /// <summary>Leaves.</summary>
    public int Count => _levels[0].Length;

    /// <summary>The hash at the top; that of no bytes where there are no leaves.</summary>
    public byte[] Root { get; }

    /// <summary>The hashes that lead from a leaf to the root (RFC 6962, section 2.1.1).</summary>
    /// <param name="index">The leaf.</param>
    /// <returns>Siblings from the leaf upwards.</returns>
    public IReadOnlyList<byte[]> Path(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        var path = new List<byte[]>(BitOperations.Log2((uint)Count) + 1);
        foreach (var level in _levels)
        {
            if ((index ^ 1) < level.Length)
            {
                path.Add(level[index ^ 1]);
            }

            index >>= 1;
        }

        return path;
    }

    /// <summary>Whether a path leads from a leaf to a root (RFC 9162, section 2.1.3.2).</summary>
    /// <param name="leaf">Data of the leaf.</param>
    /// <param name="index">The leaf's place.</param>
    /// <param name="count">Leaves of the tree.</param>
    /// <param name="path">Siblings from the leaf upwards.</param>
    /// <param name="root">The root.</param>
    /// <returns>True where it does.</returns>
    public static bool Leads(ReadOnlySpan<byte> leaf, long index, long count, IReadOnlyList<byte[]> path, ReadOnlySpan<byte> root)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (index < 0 || index >= count)
        {
            return false;
        }

        var (at, last) = (index, count - 1);
        var hash = LeafHash(leaf);
        foreach (var sibling in path)
        {
            if (last == 0)
            {
                return false;
            }

            if ((at & 1) == 1 || at == last)
            {
                hash = NodeHash(sibling, hash);

                // Levels on which an odd one was carried up have no sibling.
                while ((at & 1) == 0 && at != 0)
                {
                    (at, last) = (at >> 1, last >> 1);
                }
            }
            else
            {
                hash = NodeHash(hash, sibling);
            }

            (at, last) = (at >> 1, last >> 1);
        }

        return last == 0 && root.SequenceEqual(hash);
    }

    private static byte[] LeafHash(ReadOnlySpan<byte> data) => SHA256.HashData([0, .. data]);

    private static byte[] NodeHash(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => SHA256.HashData([1, .. left, .. right]);
}
