using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

public sealed class TreeAccumulatorTests
{
    [Fact]
    public void TryAdd_any_order_with_duplicates_gives_the_sequential_sum() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[0, 70], Gen.UInt).Sample((count, length, seed) =>
        {
            var leaves = TreeSamples.Leaves(count, length, seed);
            var tree = new ReductionTree(count);
            using var accumulator = new TreeAccumulator(tree);
            var random = new Random((int)seed);
            var arrivals = Enumerable.Range(0, count).Concat(Enumerable.Range(0, count)).ToArray();
            random.Shuffle(arrivals);
            var seen = new HashSet<int>();
            foreach (var leaf in arrivals)
            {
                Assert.Equal(seen.Add(leaf), accumulator.TryAdd(new TreeNode(0, leaf), leaves[leaf]));
            }

            TreeSamples.AssertBits(TreeSamples.Sum(leaves), accumulator.Sum.Span);
            Assert.Equal(1, accumulator.Count);
        });

    [Fact]
    public void TryAdd_subtrees_of_any_cut_gives_the_sequential_sum() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[0, 70], Gen.UInt).Sample((count, length, seed) =>
        {
            var leaves = TreeSamples.Leaves(count, length, seed);
            using var accumulator = new TreeAccumulator(new ReductionTree(count));
            foreach (var subtree in TreeSamples.Deal(leaves, 1, seed)[0])
            {
                Assert.True(accumulator.TryAdd(subtree.Node, subtree.Values.Span));
            }

            TreeSamples.AssertBits(TreeSamples.Sum(leaves), accumulator.Sum.Span);
        });

    [Fact]
    public void TryAdd_leaves_in_order_keeps_at_most_log_plus_one_partials()
    {
        for (var count = 1; count <= 130; count++)
        {
            var tree = new ReductionTree(count);
            using var accumulator = new TreeAccumulator(tree);
            for (var leaf = 0; leaf < count; leaf++)
            {
                accumulator.TryAdd(new TreeNode(0, leaf), [1, 2, 3]);
                Assert.InRange(accumulator.Count, 1, tree.Height + 1);
            }
        }
    }

    [Fact]
    public void TryAdd_partly_counted_node_is_refused()
    {
        using var accumulator = new TreeAccumulator(new ReductionTree(4));
        accumulator.TryAdd(new TreeNode(0, 1), [1]);
        Assert.Throws<ArgumentException>(() => accumulator.TryAdd(new TreeNode(1, 0), [1]));
        Assert.Throws<ArgumentException>(() => accumulator.TryAdd(new TreeNode(0, 4), [1]));
        Assert.Throws<ArgumentException>(() => accumulator.TryAdd(new TreeNode(0, 0), [1, 2]));
        Assert.Equal(1, accumulator.CountedLeaves);
    }

    [Fact]
    public void Roots_restored_into_another_accumulator_continues_to_the_same_sum() =>
        Gen.Select(Gen.Int[1, 30], Gen.Int[0, 30], Gen.UInt).Sample((count, before, seed) =>
        {
            var leaves = TreeSamples.Leaves(count, 9, seed);
            var order = Enumerable.Range(0, count).ToArray();
            new Random((int)seed).Shuffle(order);
            using var first = new TreeAccumulator(new ReductionTree(count));
            foreach (var leaf in order.Take(before))
            {
                first.TryAdd(new TreeNode(0, leaf), leaves[leaf]);
            }

            using var second = new TreeAccumulator(new ReductionTree(count));
            foreach (var partial in first.Roots)
            {
                second.TryAdd(partial.Node, partial.Values.Span);
            }

            Assert.Equal(first.CountedLeaves, second.CountedLeaves);
            foreach (var leaf in order)
            {
                second.TryAdd(new TreeNode(0, leaf), leaves[leaf]);
            }

            TreeSamples.AssertBits(TreeSamples.Sum(leaves), second.Sum.Span);
        });

    [Fact]
    public void Reset_next_sums_need_no_new_vectors()
    {
        const int Length = 100_000;
        var values = new float[Length];
        using var accumulator = new TreeAccumulator(new ReductionTree(8), Length);
        void Fold(int length)
        {
            accumulator.Reset(new ReductionTree(8));
            for (var leaf = 0; leaf < 8; leaf++)
            {
                accumulator.Add(new TreeNode(0, leaf), values.AsSpan(0, length));
            }

            Assert.Equal(length, accumulator.Sum.Length);
        }

        Fold(Length / 2);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Fold(Length);
        Fold(Length / 3);
        Fold(Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Length);
    }

    [Fact]
    public void TreeNode_in_a_message_is_level_and_index() => Assert.Equal("(2, 3)", $"{new TreeNode(2, 3)}");

    [Fact]
    public void StepSet_forgets_nothing_it_holds_and_stays_small()
    {
        var steps = new StepSet();
        for (var step = 0; step < 10_000; step++)
        {
            steps.Add(step * 10);
            Assert.True(steps.Contains(step * 10));
            Assert.False(steps.Contains((step * 10) + 1));
        }

        Assert.InRange(steps.Runs, 1, StepSet.MaxRuns);
        Assert.True(steps.Contains(0));
        var dense = new StepSet();
        foreach (var step in new long[] { 3, 1, 2, 0, 5, 4 })
        {
            dense.Add(step);
        }

        Assert.Equal(1, dense.Runs);
        Assert.False(dense.Contains(6));
        Assert.False(dense.Contains(-1));
    }
}
