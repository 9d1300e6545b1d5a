using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>A node that a sum is made of: elements as they are, or as they have come over the wire.</summary>
/// <typeparam name="T">Type of the elements.</typeparam>
/// <param name="Node">Which node.</param>
/// <param name="Values">Its elements; rounded in copies where the format asks for it.</param>
/// <param name="Encoded">In place of <paramref name="Values"/>, their encoding: rounded by the sender.</param>
/// <param name="Encoding">Of <paramref name="Encoded"/>.</param>
internal readonly record struct TreePart<T>(TreeNode Node, ReadOnlyMemory<T> Values, ReadOnlyMemory<byte> Encoded = default, WireFormat Encoding = WireFormat.Fp32);

/// <summary>
/// The additions that take a set of held subtrees to the root of the fixed tree. Evaluated piece by piece over the
/// elements, so that intermediate sums stay in the cache and need no memory of the vector's length.
/// </summary>
/// <typeparam name="T">Type of the elements; formats that round have floats only.</typeparam>
internal sealed class TreeSum<T>
    where T : unmanaged, IAdditionOperators<T, T, T>, IAdditiveIdentity<T, T>
{
    private readonly IReadOnlyList<TreePart<T>> _held;
    private readonly Term _root;
    private readonly WireFormat _format;

    private TreeSum(IReadOnlyList<TreePart<T>> held, Term root, int depth, WireFormat format)
    {
        _format = format;
        _held = held;
        _root = root;
        Depth = depth;
    }

    /// <summary>Pieces of scratch memory that <see cref="Evaluate(int, int, Span{T})"/> needs at once.</summary>
    internal int Depth { get; }

    /// <summary>Works out the additions.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="held">Subtrees of one length; checked to cover each leaf exactly once.</param>
    /// <param name="defect">Index into <paramref name="held"/> of the subtree at fault, or -1 where leaves are missing.</param>
    /// <param name="problem">What is wrong, or null.</param>
    /// <param name="format">What leaves and sums are rounded to. Subtrees held as they are, are rounded too, whether they were before or not.</param>
    /// <returns>The additions, or null where something is wrong.</returns>
    internal static TreeSum<T>? TryCreate(ReductionTree tree, IReadOnlyList<TreePart<T>> held, out int defect, out string? problem, WireFormat format)
    {
        var byStart = new SortedDictionary<int, (int End, int Index)>();
        for (var i = 0; i < held.Count; i++)
        {
            var node = held[i].Node;
            if (!tree.Contains(node))
            {
                (defect, problem) = (i, $"node {node} is not in the tree of {tree.Leaves} leaves");
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
        return new TreeSum<T>(held, root, depth, format);
    }

    /// <summary>The sum's elements of a range.</summary>
    /// <param name="start">First element; where a format rounds, a multiple of <see cref="WireArithmetic.AlignmentElements"/>.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="scratch">At least <see cref="Depth"/> times <paramref name="count"/> elements.</param>
    /// <returns>The sum: in scratch memory, or in the memory of a subtree that is itself the root.</returns>
    internal ReadOnlySpan<T> Evaluate(int start, int count, Span<T> scratch) =>
        Evaluate(_root, start, count, scratch, _root.Held >= 0 ? default : scratch[..count]);

    /// <summary>The sum's elements of a range, written where they belong.</summary>
    /// <param name="start">First element; where a format rounds, a multiple of <see cref="WireArithmetic.AlignmentElements"/>.</param>
    /// <param name="scratch">At least <see cref="Depth"/> times as many elements as <paramref name="target"/>.</param>
    /// <param name="target">Receives the sum. May be the memory of the same elements of a subtree held: they are read before.</param>
    internal void Evaluate(int start, Span<T> scratch, Span<T> target)
    {
        var sum = Evaluate(_root, start, target.Length, scratch, target);
        if (_root.Held >= 0)
        {
            sum.CopyTo(target);
        }
    }

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

    private ReadOnlySpan<T> Evaluate(Term term, int start, int count, Span<T> scratch, Span<T> sum)
    {
        if (term.Held >= 0)
        {
            return Held(term, start, count, scratch);
        }

        // The left part may come back in the first piece of scratch memory, which is also where this sum may go: adding in
        // place is allowed, and the right part lies in later pieces.
        var left = Evaluate(term.Left!, start, count, scratch, scratch[..count]);
        var rightScratch = NeedsNoScratch(term.Right!) ? default : scratch[count..];
        var right = Evaluate(term.Right!, start, count, rightScratch, rightScratch.IsEmpty ? default : rightScratch[..count]);
        TensorPrimitives.Add(left, right, sum);
        if (_format != WireFormat.Fp32)
        {
            WireArithmetic.RoundNode(_format, Floats(sum));
        }

        return sum;
    }

    private bool NeedsNoScratch(Term term) => term.Held >= 0 && _format == WireFormat.Fp32;

    private ReadOnlySpan<T> Held(Term term, int start, int count, Span<T> scratch)
    {
        var part = _held[term.Held];
        if (!part.Encoded.IsEmpty)
        {
            if (part.Encoding == WireFormat.Fp32)
            {
                return MemoryMarshal.Cast<byte, T>(part.Encoded.Span).Slice(start, count);
            }

            var encoded = part.Encoded.Span.Slice(NodeCodec.Bytes(part.Encoding, start), NodeCodec.Bytes(part.Encoding, count));
            NodeCodec.Decode(part.Encoding, encoded, Floats(scratch[..count]));
            return scratch[..count];
        }

        var held = part.Values.Span.Slice(start, count);
        if (_format == WireFormat.Fp32)
        {
            return held;
        }

        WireArithmetic.Round(_format, term.IsLeaf, Floats(held), Floats(scratch[..count]));
        return scratch[..count];
    }

    private static Span<float> Floats(Span<T> values) => MemoryMarshal.Cast<T, float>(values);

    private static ReadOnlySpan<float> Floats(ReadOnlySpan<T> values) => MemoryMarshal.Cast<T, float>(values);

    private sealed record Term(int Held, bool IsLeaf, Term? Left, Term? Right);
}
