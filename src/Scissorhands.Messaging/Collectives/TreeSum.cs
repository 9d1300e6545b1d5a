using System.Numerics.Tensors;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// The additions that take a set of held subtrees to the root of the fixed tree. Evaluated piece by piece over the
/// elements, so that intermediate sums stay in the cache and need no memory of the vector's length.
/// </summary>
internal sealed class TreeSum
{
    private readonly ReadOnlyMemory<float>[] _held;
    private readonly Term _root;
    private readonly WireFormat _format;
    private readonly int _firstRounded;

    private TreeSum(ReadOnlyMemory<float>[] held, Term root, int depth, WireFormat format, int firstRounded)
    {
        _firstRounded = firstRounded;
        _format = format;
        _held = held;
        _root = root;
        Depth = depth;
    }

    /// <summary>Pieces of scratch memory that <see cref="Evaluate(int, int, Span{float})"/> needs at once.</summary>
    internal int Depth { get; }

    /// <summary>Works out the additions.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="held">Subtrees of one length; checked to cover each leaf exactly once.</param>
    /// <param name="defect">Index into <paramref name="held"/> of the subtree at fault, or -1 where leaves are missing.</param>
    /// <param name="problem">What is wrong, or null.</param>
    /// <param name="format">What leaves and sums are rounded to. Subtrees held are rounded too, whether they were before or not.</param>
    /// <param name="firstRounded">From this index on, subtrees held are known to be rounded: their senders have done it.</param>
    /// <returns>The additions, or null where something is wrong.</returns>
    internal static TreeSum? TryCreate(
        ReductionTree tree, IReadOnlyList<SubtreeSum> held, out int defect, out string? problem, WireFormat format = WireFormat.Fp32, int firstRounded = int.MaxValue)
    {
        var byStart = new SortedDictionary<int, (int End, int Index)>();
        for (var i = 0; i < held.Count; i++)
        {
            var node = held[i].Node;
            if (!tree.Contains(node))
            {
                (defect, problem) = (i, $"node {Describe(node)} is not in the tree of {tree.Leaves} leaves");
                return null;
            }

            var range = tree.LeavesOf(node);
            if (!byStart.TryAdd(range.Start, (range.End, i)))
            {
                (defect, problem) = (i, $"leaf {range.Start} is held twice");
                return null;
            }
        }

        var next = 0;
        foreach (var (start, (end, index)) in byStart)
        {
            if (start < next)
            {
                (defect, problem) = (index, $"leaf {start} is held twice");
                return null;
            }

            if (start > next)
            {
                break;
            }

            next = end;
        }

        if (next != tree.Leaves)
        {
            (defect, problem) = (-1, $"leaf {next} of {tree.Leaves} is missing");
            return null;
        }

        (defect, problem) = (-1, null);
        var depth = 0;
        var root = Build(tree, tree.Root, byStart, format, 0, ref depth);
        return new TreeSum([.. held.Select(static h => h.Values)], root, depth, format, firstRounded);
    }

    /// <summary>The sum's elements of a range.</summary>
    /// <param name="start">First element; where a format rounds, a multiple of <see cref="WireArithmetic.AlignmentElements"/>.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="scratch">At least <see cref="Depth"/> times <paramref name="count"/> elements.</param>
    /// <returns>The sum: in scratch memory, or in the memory of a subtree that is itself the root.</returns>
    internal ReadOnlySpan<float> Evaluate(int start, int count, Span<float> scratch) => Evaluate(_root, start, count, scratch);

    internal static string Describe(TreeNode node) => $"({node.Level}, {node.Index})";

    private static Term Build(ReductionTree tree, TreeNode node, SortedDictionary<int, (int End, int Index)> byStart, WireFormat format, int slot, ref int depth)
    {
        var range = tree.LeavesOf(node);
        if (byStart.TryGetValue(range.Start, out var found) && found.End == range.End)
        {
            // Rounding must not touch the holder's memory.
            depth = Math.Max(depth, format == WireFormat.Fp32 ? slot : slot + 1);
            return new Term(found.Index, range.Count == 1, null, null);
        }

        var left = new TreeNode(node.Level - 1, node.Index * 2);
        if (!tree.HasSibling(left))
        {
            return Build(tree, left, byStart, format, slot, ref depth);
        }

        depth = Math.Max(depth, slot + 1);
        return new Term(-1, false, Build(tree, left, byStart, format, slot, ref depth), Build(tree, left.Sibling, byStart, format, slot + 1, ref depth));
    }

    private ReadOnlySpan<float> Evaluate(Term term, int start, int count, Span<float> scratch)
    {
        if (term.Held >= 0)
        {
            var held = _held[term.Held].Span.Slice(start, count);
            if (_format == WireFormat.Fp32 || term.Held >= _firstRounded)
            {
                return held;
            }

            var rounded = scratch[..count];
            WireArithmetic.Round(_format, term.IsLeaf, held, rounded);
            return rounded;
        }

        // The left part may come back in the first piece of scratch memory, which is also where this sum goes: adding in
        // place is allowed, and the right part lies in later pieces.
        var left = Evaluate(term.Left!, start, count, scratch);
        var right = Evaluate(term.Right!, start, count, term.Right!.Held >= 0 && _format == WireFormat.Fp32 ? default : scratch[count..]);
        var sum = scratch[..count];
        TensorPrimitives.Add(left, right, sum);
        WireArithmetic.RoundNode(_format, sum);
        return sum;
    }

    private sealed record Term(int Held, bool IsLeaf, Term? Left, Term? Right);
}
