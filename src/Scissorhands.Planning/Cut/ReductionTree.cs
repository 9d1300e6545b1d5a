using System.Numerics;

namespace Scissorhands.Planning.Cut;

/// <summary>A node of the reduction tree: level 0 holds the leaves, node (l, i) covers leaves [i * 2^l, (i+1) * 2^l).</summary>
/// <param name="Level">Height above the leaves.</param>
/// <param name="Index">Position within the level.</param>
public readonly record struct TreeNode(int Level, int Index)
{
    /// <summary>The node above.</summary>
    public TreeNode Parent => new(Level + 1, Index >> 1);

    /// <summary>The other child of <see cref="Parent"/>.</summary>
    public TreeNode Sibling => new(Level, Index ^ 1);

    /// <summary>Level and index. The generated text would print parents and siblings without end.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"({Level}, {Index})";
}

/// <summary>
/// The shape of the fixed binary tree that every sum over slices or blocks runs along. Node (l, i) is node (l-1, 2i) plus
/// node (l-1, 2i+1); where the second does not exist, the first passes up unchanged. The shape depends on the number of
/// leaves alone, so whoever adds up which part, in whichever order parts arrive, the bits are the same.
/// </summary>
public sealed class ReductionTree
{
    /// <summary>Describes the tree over so many leaves.</summary>
    /// <param name="leaves">Leaves, at least 1.</param>
    public ReductionTree(int leaves)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(leaves);
        Leaves = leaves;
        Height = leaves == 1 ? 0 : BitOperations.Log2((uint)leaves - 1) + 1;
    }

    /// <summary>Number of leaves.</summary>
    public int Leaves { get; }

    /// <summary>Level of the root.</summary>
    public int Height { get; }

    /// <summary>The root.</summary>
    public TreeNode Root => new(Height, 0);

    /// <summary>Number of nodes of a level.</summary>
    /// <param name="level">Height above the leaves.</param>
    /// <returns>ceil(leaves / 2^level).</returns>
    public int Width(int level) => (int)(((long)Leaves + (1L << level) - 1) >> level);

    /// <summary>Whether the node exists in this tree.</summary>
    /// <param name="node">Any node.</param>
    /// <returns>True where it has at least one leaf below it.</returns>
    public bool Contains(TreeNode node) =>
        node.Level >= 0 && node.Level <= Height && node.Index >= 0 && node.Index < Width(node.Level);

    /// <summary>Whether the node's sum is its left sibling's partner, or passes up alone.</summary>
    /// <param name="node">A node of the tree.</param>
    /// <returns>True where the sibling exists.</returns>
    public bool HasSibling(TreeNode node) => Contains(node.Sibling);

    /// <summary>The leaves below a node.</summary>
    /// <param name="node">A node of the tree.</param>
    /// <returns>Range of leaf indices.</returns>
    public IndexRange LeavesOf(TreeNode node) =>
        new(node.Index << node.Level, (int)Math.Min(Leaves, (long)(node.Index + 1) << node.Level));

    /// <summary>The roots of the largest complete subtrees that hold exactly the leaves of a range.</summary>
    /// <param name="range">Leaves [start, end).</param>
    /// <returns>Nodes from left to right.</returns>
    public IReadOnlyList<TreeNode> Cover(IndexRange range)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(range.Start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(range.End, Leaves);
        var nodes = new List<TreeNode>();
        var start = range.Start;
        while (start < range.End)
        {
            var node = new TreeNode(0, start);
            while (node.Level < Height && (node.Index & 1) == 0 && LeavesOf(node.Parent).End <= range.End)
            {
                node = node.Parent;
            }

            nodes.Add(node);
            start = LeavesOf(node).End;
        }

        return nodes;
    }

    /// <summary>
    /// The leaves dealt to one of <paramref name="ranks"/> workers: consecutive runs, aligned so that each worker holds
    /// whole subtrees where the counts allow it.
    /// </summary>
    /// <param name="rank">The worker's rank.</param>
    /// <param name="ranks">Workers.</param>
    /// <returns>The worker's leaves, possibly none.</returns>
    public IndexRange Deal(int rank, int ranks) =>
        new((int)((long)rank * Leaves / ranks), (int)((long)(rank + 1) * Leaves / ranks));
}
