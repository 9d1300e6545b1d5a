using System.Collections;
using System.Numerics.Tensors;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// Adds up leaves or subtrees of the fixed tree in whichever order they come: siblings are merged as soon as both are
/// there, so that leaves in order leave at most ceil(log2 leaves) + 1 partial sums alive. Buffers are kept for the next sum,
/// because a worker folds its leaves anew in every step; a shared pool would round the length of a model's vector up to a
/// power of two. Not thread-safe.
/// </summary>
public sealed class TreeAccumulator : IDisposable
{
    /// <summary>Elements rounded and added at a time: a piece stays in the cache. A multiple of what is rounded together.</summary>
    private const int PieceElements = 16 * WireArithmetic.AlignmentElements;

    private readonly Dictionary<TreeNode, float[]> _partials = [];
    private readonly Stack<float[]> _free = [];
    private readonly int _capacity;
    private ReductionTree _tree;
    private WireFormat _format;
    private BitArray _counted;
    private int _length = -1;
    private bool _disposed;

    /// <summary>An empty sum.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="capacity">Elements that buffers have at least, where sums of several lengths follow each other.</param>
    /// <param name="format">What leaves and sums are rounded to.</param>
    public TreeAccumulator(ReductionTree tree, int capacity = 0, WireFormat format = WireFormat.Fp32)
    {
        ArgumentNullException.ThrowIfNull(tree);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        _tree = tree;
        _format = format;
        _capacity = capacity;
        _counted = new BitArray(tree.Leaves);
    }

    /// <summary>Takes up the partial sums of a checkpoint.</summary>
    /// <param name="leaves">Leaves of the tree.</param>
    /// <param name="length">Elements that each sum must have.</param>
    /// <param name="restored">The sums.</param>
    /// <param name="problem">What is wrong with them, or null.</param>
    /// <returns>The accumulator, or null where something is wrong.</returns>
    internal static TreeAccumulator? TryRestore(int leaves, int length, IReadOnlyList<SubtreeSum> restored, out string? problem)
    {
        var accumulator = new TreeAccumulator(new ReductionTree(leaves));
        problem = null;
        try
        {
            foreach (var (node, values) in restored)
            {
                if (values.Length != length)
                {
                    problem = $"restored node {node} has {values.Length} elements, not {length}";
                    return null;
                }

                if (!accumulator.TryAdd(node, values.Span))
                {
                    problem = $"restored node {node} is held twice";
                    return null;
                }
            }
        }
        catch (ArgumentException e)
        {
            problem = "restored sums: " + e.Message;
            return null;
        }

        return accumulator;
    }

    /// <summary>Leaves counted so far.</summary>
    public int CountedLeaves { get; private set; }

    /// <summary>Whether every leaf has been counted.</summary>
    public bool IsComplete => CountedLeaves == _tree.Leaves;

    /// <summary>Partial sums alive now.</summary>
    public int Count => _partials.Count;

    /// <summary>The partial sums, from left to right; valid until the next addition.</summary>
    public IReadOnlyList<SubtreeSum> Roots =>
    [
        .. _partials
            .OrderBy(p => _tree.LeavesOf(p.Key).Start)
            .Select(p => new SubtreeSum(p.Key, p.Value.AsMemory(0, _length))),
    ];

    /// <summary>The sum of all leaves; valid until disposal.</summary>
    /// <exception cref="InvalidOperationException">Leaves are missing.</exception>
    public ReadOnlyMemory<float> Sum =>
        IsComplete && !_disposed
            ? _partials[_tree.Root].AsMemory(0, _length)
            : throw new InvalidOperationException($"Only {CountedLeaves} of {_tree.Leaves} leaves have been counted.");

    /// <summary>Begins another sum in the same memory.</summary>
    /// <param name="tree">Its tree.</param>
    /// <param name="format">What its leaves and sums are rounded to.</param>
    public void Reset(ReductionTree tree, WireFormat format = WireFormat.Fp32)
    {
        ArgumentNullException.ThrowIfNull(tree);
        ObjectDisposedException.ThrowIf(_disposed, this);
        foreach (var buffer in _partials.Values)
        {
            _free.Push(buffer);
        }

        _partials.Clear();
        _tree = tree;
        _format = format;
        _counted = new BitArray(tree.Leaves);
        CountedLeaves = 0;
    }

    /// <summary>Whether a leaf has been counted.</summary>
    /// <param name="leaf">Index of the leaf.</param>
    /// <returns>True where it is part of a partial sum.</returns>
    public bool Contains(int leaf) => _counted[leaf];

    /// <summary>Adds the sum of a subtree none of whose leaves was counted before.</summary>
    /// <param name="node">The subtree's root.</param>
    /// <param name="values">Its sum, of the length of those before, rounded or not; copied or added, never kept.</param>
    /// <exception cref="ArgumentException">The node is not in the tree, leaves of it were counted before, or the length differs.</exception>
    public void Add(TreeNode node, ReadOnlySpan<float> values)
    {
        if (!TryAdd(node, values))
        {
            throw new ArgumentException($"Node {node} was counted already.", nameof(node));
        }
    }

    /// <summary>Adds the sum of a subtree.</summary>
    /// <param name="node">The subtree's root.</param>
    /// <param name="values">Its sum, of the length of those before, rounded or not; copied or added, never kept.</param>
    /// <returns>False where all of its leaves were counted already, and nothing changed.</returns>
    /// <exception cref="ArgumentException">The node is not in the tree, some but not all of its leaves were counted, or the length differs.</exception>
    public bool TryAdd(TreeNode node, ReadOnlySpan<float> values)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_tree.Contains(node))
        {
            throw new ArgumentException($"Node {node} is not in the tree of {_tree.Leaves} leaves.", nameof(node));
        }

        if (_partials.Count == 0)
        {
            _length = values.Length;
        }

        if (values.Length != _length)
        {
            throw new ArgumentException($"Node {node} has {values.Length} elements, not {_length}.", nameof(values));
        }

        var leaves = _tree.LeavesOf(node);
        var known = 0;
        for (var leaf = leaves.Start; leaf < leaves.End; leaf++)
        {
            known += _counted[leaf] ? 1 : 0;
        }

        if (known == leaves.Count)
        {
            return false;
        }

        if (known > 0)
        {
            throw new ArgumentException($"Of the {leaves.Count} leaves of node {node}, {known} were counted already.", nameof(node));
        }

        for (var leaf = leaves.Start; leaf < leaves.End; leaf++)
        {
            _counted[leaf] = true;
        }

        CountedLeaves += leaves.Count;
        var isLeaf = leaves.Count == 1;
        node = RaiseLone(node);
        float[] sum;
        if (_tree.HasSibling(node) && _partials.Remove(node.Sibling, out var other))
        {
            // Straight into the sibling's buffer: a leaf that finds its sibling needs no buffer of its own.
            if (_format == WireFormat.Fp32)
            {
                AddSiblings(node, values, other.AsSpan(0, _length));
            }
            else
            {
                RoundAndAddSiblings(node, isLeaf, values, other.AsSpan(0, _length));
            }

            sum = other;
            node = RaiseLone(node.Parent);
        }
        else
        {
            sum = Rent();
            WireArithmetic.Round(_format, isLeaf, values, sum.AsSpan(0, _length));
        }

        while (_tree.HasSibling(node) && _partials.Remove(node.Sibling, out other))
        {
            AddSiblings(node, sum.AsSpan(0, _length), other.AsSpan(0, _length));
            WireArithmetic.RoundNode(_format, other.AsSpan(0, _length));
            _free.Push(sum);
            sum = other;
            node = RaiseLone(node.Parent);
        }

        _partials.Add(node, sum);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _partials.Clear();
        _free.Clear();
    }

    /// <summary>The sum in the sibling's place.</summary>
    private static void AddSiblings(TreeNode node, ReadOnlySpan<float> values, Span<float> sibling)
    {
        // The left child is the left operand: addition commutes, but of two NaN the left one survives.
        if ((node.Index & 1) == 0)
        {
            TensorPrimitives.Add(values, sibling, sibling);
        }
        else
        {
            TensorPrimitives.Add(sibling, values, sibling);
        }
    }

    private void RoundAndAddSiblings(TreeNode node, bool isLeaf, ReadOnlySpan<float> values, Span<float> sibling)
    {
        Span<float> rounded = stackalloc float[Math.Min(PieceElements, values.Length)];
        for (var start = 0; start < values.Length; start += PieceElements)
        {
            var count = Math.Min(PieceElements, values.Length - start);
            var sum = sibling.Slice(start, count);
            WireArithmetic.Round(_format, isLeaf, values.Slice(start, count), rounded[..count]);
            AddSiblings(node, rounded[..count], sum);
            WireArithmetic.RoundNode(_format, sum);
        }
    }

    private float[] Rent()
    {
        while (_free.TryPop(out var free))
        {
            if (free.Length >= _length)
            {
                return free;
            }
        }

        return GC.AllocateUninitializedArray<float>(Math.Max(_length, _capacity));
    }

    private TreeNode RaiseLone(TreeNode node)
    {
        while (node.Level < _tree.Height && !_tree.HasSibling(node))
        {
            node = node.Parent;
        }

        return node;
    }
}
