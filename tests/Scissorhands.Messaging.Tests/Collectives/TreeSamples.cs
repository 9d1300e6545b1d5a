using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Tests.Wire;
using Scissorhands.Messaging.Wire;
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
    internal static float[] Sum(float[][] leaves, WireFormat format = WireFormat.Fp32)
    {
        var tree = new ReductionTree(leaves.Length);
        var root = Node(tree, tree.Root, leaves, format);
        return format == WireFormat.Fp32 ? root : [.. root.Select(WireSamples.Round)];
    }

    internal static float[] Node(ReductionTree tree, TreeNode node, float[][] leaves, WireFormat format = WireFormat.Fp32)
    {
        if (node.Level == 0)
        {
            return format switch
            {
                WireFormat.Int8 => WireSamples.Quantize(leaves[node.Index]),
                WireFormat.Bf16 => [.. leaves[node.Index].Select(WireSamples.Round)],
                _ => (float[])leaves[node.Index].Clone(),
            };
        }

        var left = new TreeNode(node.Level - 1, node.Index * 2);
        var sum = Node(tree, left, leaves, format);
        if (tree.HasSibling(left))
        {
            var right = Node(tree, left.Sibling, leaves, format);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += right[i];
                sum[i] = format == WireFormat.Fp32 ? sum[i] : WireSamples.Round(sum[i]);
            }
        }

        return sum;
    }

    /// <summary>Deals disjoint subtrees that cover all leaves to the ranks: any cut of the tree, any holder.</summary>
    internal static List<SubtreeSum>[] Deal(float[][] leaves, int ranks, uint seed, WireFormat format = WireFormat.Fp32)
    {
        var tree = new ReductionTree(leaves.Length);

        // A lone leaf is given as it is, under its own name or that of an ancestor it passes up to.
        float[] Values(TreeNode node) => tree.LeavesOf(node) is { Count: 1 } lone ? (float[])leaves[lone.Start].Clone() : Node(tree, node, leaves, format);
        return [.. DealNodes(tree, ranks, seed).Select(nodes => nodes.Select(node => new SubtreeSum(node, Values(node))).ToList())];
    }

    /// <summary>Doubles whose sums depend on the order of additions.</summary>
    internal static double[][] Doubles(int leaves, int length, uint seed)
    {
        var random = new Random((int)seed);
        return [.. Enumerable.Range(0, leaves).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(8) == 0 ? -0d : (random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-400, 400) / 8)).ToArray())];
    }

    /// <summary>Plain reference: recursion over the tree, element by element.</summary>
    internal static double[] Sum(double[][] leaves)
    {
        var tree = new ReductionTree(leaves.Length);
        return Node(tree, tree.Root, leaves);
    }

    internal static List<SubtreeDoubles>[] Deal(double[][] leaves, int ranks, uint seed)
    {
        var tree = new ReductionTree(leaves.Length);
        return [.. DealNodes(tree, ranks, seed).Select(nodes => nodes.Select(node => new SubtreeDoubles(node, Node(tree, node, leaves))).ToList())];
    }

    internal static void AssertBits(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            if (BitConverter.DoubleToInt64Bits(expected[i]) != BitConverter.DoubleToInt64Bits(actual[i]))
            {
                Assert.Fail($"Element {i} of {expected.Length}: expected {expected[i]:R}, got {actual[i]:R}.");
            }
        }
    }

    private static double[] Node(ReductionTree tree, TreeNode node, double[][] leaves)
    {
        if (node.Level == 0)
        {
            return (double[])leaves[node.Index].Clone();
        }

        var left = new TreeNode(node.Level - 1, node.Index * 2);
        var sum = Node(tree, left, leaves);
        return tree.HasSibling(left) ? [.. sum.Zip(Node(tree, left.Sibling, leaves), static (a, b) => a + b)] : sum;
    }

    private static List<TreeNode>[] DealNodes(ReductionTree tree, int ranks, uint seed)
    {
        var random = new Random((int)seed);
        var held = Enumerable.Range(0, ranks).Select(static _ => new List<TreeNode>()).ToArray();
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
                held[random.Next(ranks)].Add(node);
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
