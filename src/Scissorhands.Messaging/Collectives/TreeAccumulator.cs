using System.Buffers;
using System.Numerics.Tensors;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// Adds up nodes of a reduction tree as they arrive, in any order: siblings are merged as soon as both are there, left plus
/// right, so the bits depend on the tree alone. Leaves that arrive in order leave at most ceil(log2 leaves) + 1 partial
/// sums alive. Not thread-safe.
/// </summary>
public sealed class TreeAccumulator : IDisposable
{
    private readonly ReductionTree _tree;
    private readonly Dictionary<TreeNode, (float[] Buffer, int Length)> _partials = [];

    /// <summary>Prepares an accumulator.</summary>
    /// <param name="tree">The tree.</param>
    public TreeAccumulator(ReductionTree tree)
    {
        ArgumentNullException.ThrowIfNull(tree);
        _tree = tree;
    }

    /// <summary>Partial sums alive now.</summary>
    public int Count => _partials.Count;

    /// <summary>Whether the sum of all leaves is there.</summary>
    public bool IsComplete => _partials.ContainsKey(_tree.Root);

    /// <summary>The partial sums, from left to right. Valid until the next addition.</summary>
    public IReadOnlyList<SubtreeSum> Roots =>
        [.. _partials.OrderBy(p => _tree.LeavesOf(p.Key).Start).Select(p => new SubtreeSum(p.Key, p.Value.Buffer.AsMemory(0, p.Value.Length)))];

    /// <summary>The sum of all leaves. Valid until disposal.</summary>
    public ReadOnlyMemory<float> Sum
    {
        get
        {
            var (buffer, length) = _partials[_tree.Root];
            return buffer.AsMemory(0, length);
        }
    }

    /// <summary>Adds a node's values.</summary>
    /// <param name="node">A node none of whose leaves was added before.</param>
    /// <param name="values">Copied.</param>
    public void Add(TreeNode node, ReadOnlySpan<float> values)
    {
        if (!_tree.Contains(node))
        {
            throw new ArgumentException($"Node {node} is not in the tree of {_tree.Leaves} leaves", nameof(node));
        }

        float[]? carried = null;
        while (node != _tree.Root)
        {
            if (!_tree.HasSibling(node))
            {
                node = node.Parent;
                continue;
            }

            if (!_partials.Remove(node.Sibling, out var sibling))
            {
                break;
            }

            var mine = carried is null ? values : carried.AsSpan(0, values.Length);
            var other = sibling.Buffer.AsSpan(0, sibling.Length);

            // Addition of floats commutes, so which side arrived last does not matter; which pairs are formed does.
            TensorPrimitives.Add(mine, other, other);
            if (carried is not null)
            {
                ArrayPool<float>.Shared.Return(carried);
            }

            carried = sibling.Buffer;
            node = node.Parent;
        }

        if (carried is null)
        {
            carried = ArrayPool<float>.Shared.Rent(values.Length);
            values.CopyTo(carried);
        }

        _partials.Add(node, (carried, values.Length));
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var (buffer, _) in _partials.Values)
        {
            ArrayPool<float>.Shared.Return(buffer);
        }

        _partials.Clear();
    }
}
