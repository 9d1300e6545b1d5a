using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

/// <summary>Vectors whose sums depend on the order of additions, and the sequential sum over the tree.</summary>
internal static class TreeSamples
{
    internal static float[][] Leaves(int leaves, int length, uint seed)
    {
        var random = new Random((int)seed);
        return [.. Enumerable.Range(0, leaves).Select(_ => Enumerable.Range(0, length).Select(_ => Value(random)).ToArray())];
    }

    internal static IReadOnlyList<SubtreeSum> Copy(IReadOnlyList<SubtreeSum> sums) =>
        [.. sums.Select(static s => s with { Values = s.Values.ToArray() })];

    /// <summary>Plain reference: recursion over the tree, element by element.</summary>
    internal static float[] Sum(float[][] leaves)
    {
        var tree = new ReductionTree(leaves.Length);
        return Node(tree, tree.Root, leaves);
    }

    internal static float[] Node(ReductionTree tree, TreeNode node, float[][] leaves)
    {
        if (node.Level == 0)
        {
            return (float[])leaves[node.Index].Clone();
        }

        var left = new TreeNode(node.Level - 1, node.Index * 2);
        var sum = Node(tree, left, leaves);
        if (tree.HasSibling(left))
        {
            var right = Node(tree, left.Sibling, leaves);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += right[i];
            }
        }

        return sum;
    }

    /// <summary>Deals disjoint subtrees that cover all leaves to the ranks: any cut of the tree, any holder.</summary>
    internal static List<SubtreeSum>[] Deal(float[][] leaves, int ranks, uint seed)
    {
        var random = new Random((int)seed);
        var tree = new ReductionTree(leaves.Length);
        var held = Enumerable.Range(0, ranks).Select(static _ => new List<SubtreeSum>()).ToArray();
        Cut(tree.Root);
        foreach (var list in held)
        {
            random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(list));
        }

        return held;

        void Cut(TreeNode node)
        {
            if (node.Level == 0 || random.Next(3) == 0)
            {
                held[random.Next(ranks)].Add(new SubtreeSum(node, Node(tree, node, leaves)));
                return;
            }

            var left = new TreeNode(node.Level - 1, node.Index * 2);
            Cut(left);
            if (tree.HasSibling(left))
            {
                Cut(left.Sibling);
            }
        }
    }

    internal static void AssertBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
            {
                Assert.Fail($"Element {i} of {expected.Length}: expected {expected[i]:R}, got {actual[i]:R}.");
            }
        }
    }

    private static float Value(Random random) => random.Next(8) switch
    {
        0 => -0f,
        1 => 0f,
        2 => BitConverter.Int32BitsToSingle(random.Next(1, 1 << 23)),
        3 => -BitConverter.Int32BitsToSingle(random.Next(1, 1 << 23)),
        _ => (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-60, 60))),
    };
}
