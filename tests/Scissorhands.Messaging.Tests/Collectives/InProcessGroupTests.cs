using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

public sealed class InProcessGroupTests
{
    private static readonly OperationKey Key = new("gradient", 5);

    private static readonly Gen<(int Leaves, int Length, int Ranks, uint Seed)> Shapes =
        Gen.Select(
            Gen.Int[1, 20],
            Gen.OneOf(Gen.Int[0, 100], Gen.Int[SumOperation.ChunkElements - 1, SumOperation.ChunkElements + 1], Gen.Int[60_000, 200_000]),
            Gen.Int[1, 5],
            Gen.UInt);

    [Fact]
    public void AllReduce_any_cut_dealing_and_arrival_order_gives_the_sequential_sum_on_all_ranks() =>
        Shapes.Sample(
            (leafCount, length, ranks, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var held = TreeSamples.Deal(leaves, ranks, seed);
                var groups = InProcessGroup.Create("run", 1, ranks);
                var order = Enumerable.Range(0, ranks).ToArray();
                new Random((int)seed).Shuffle(order);
                var results = Enumerable.Range(0, ranks).Select(_ => new float[length]).ToArray();
                RankThreads.RunInOrder(order, (rank, next) =>
                {
                    var operation = groups[rank].AllReduce(Key, leafCount, held[rank], results[rank]);
                    next();
                    Finish(operation, (seed >> rank) & 1);
                    TreeSamples.AssertBits(expected, results[rank]);
                });
                Assert.Equal(0, ((InProcessGroup)groups[0]).Live);
            },
            iter: 60);

    [Fact]
    public void AllReduce_result_in_the_memory_of_a_held_subtree_gives_the_sequential_sum() =>
        Shapes.Sample(
            (leafCount, length, ranks, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var tree = new ReductionTree(leafCount);
                var groups = InProcessGroup.Create("run", 1, ranks);
                RankThreads.Run(ranks, rank =>
                {
                    var buffers = tree.Cover(tree.Deal(rank, ranks)).Select(n => (Node: n, Values: TreeSamples.Node(tree, n, leaves))).ToArray();
                    var result = buffers.Length > 0 ? buffers[(int)(seed % (uint)buffers.Length)].Values : new float[length];
                    groups[rank].AllReduce(Key, leafCount, [.. buffers.Select(static b => new SubtreeSum(b.Node, b.Values))], result)
                        .Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected, result);
                });
            },
            iter: 60);

    [Fact]
    public void ReduceScatter_gives_each_rank_its_range_of_the_sequential_sum() =>
        Shapes.Sample(
            (leafCount, length, ranks, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var held = TreeSamples.Deal(leaves, ranks, seed);
                var groups = InProcessGroup.Create("run", 1, ranks);
                RankThreads.Run(ranks, rank =>
                {
                    var owned = RangeOwnership.Owned(length, rank, ranks);
                    var result = new float[owned.Count];
                    Finish(groups[rank].ReduceScatter(Key, leafCount, held[rank], length, result), (seed >> rank) & 1);
                    TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), result);
                });
            },
            iter: 60);

    [Fact]
    public void SumDoubles_any_cut_dealing_and_arrival_order_gives_the_sequential_sum_on_all_ranks() =>
        Gen.Select(Gen.Int[1, 20], Gen.OneOf(Gen.Int[0, 9], Gen.Int[SubtreeDoubles.MaxLength - 1, SubtreeDoubles.MaxLength]), Gen.Int[1, 5], Gen.UInt).Sample(
            (leafCount, length, ranks, seed) =>
            {
                var leaves = TreeSamples.Doubles(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var held = TreeSamples.Deal(leaves, ranks, seed);
                var groups = InProcessGroup.Create("run", 1, ranks);
                var order = Enumerable.Range(0, ranks).ToArray();
                new Random((int)seed).Shuffle(order);
                RankThreads.RunInOrder(order, (rank, next) =>
                {
                    // Every other rank receives the sum in the memory of what it has given.
                    var result = rank % 2 == 0 && held[rank].Count > 0 ? System.Runtime.InteropServices.MemoryMarshal.AsMemory(held[rank][0].Values) : new double[length];
                    var operation = groups[rank].SumDoubles(Key, leafCount, held[rank], result);
                    next();
                    Finish(operation, (seed >> rank) & 1);
                    TreeSamples.AssertBits(expected, result.ToArray());
                });
                Assert.Equal(0, ((InProcessGroup)groups[0]).Live);
            },
            iter: 60);

    [Fact]
    public void SumDoubles_of_more_than_a_few_or_that_others_take_for_floats_is_refused()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var many = new double[SubtreeDoubles.MaxLength + 1];
        Assert.Throws<ArgumentOutOfRangeException>(() => groups[0].SumDoubles(Key, 1, [new SubtreeDoubles(new TreeNode(0, 0), many)], many));
        var doubles = groups[0].SumDoubles(Key, 2, [new SubtreeDoubles(new TreeNode(0, 0), new double[1])], new double[1]);
        _ = groups[1].AllReduce(Key, 2, [new SubtreeSum(new TreeNode(0, 1), new float[1])], new float[1]);
        var error = Assert.Throws<CollectiveException>(() => doubles.Wait(TestContext.Current.CancellationToken));
        Assert.Contains("different operations", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AllReduce_lone_leaf_of_negative_zero_stays_negative_zero()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var results = new[] { new float[1], new float[1] };
        RankThreads.Run(2, rank => groups[rank]
            .AllReduce(Key, 3, rank == 0 ? [new(new(0, 0), new[] { -0f }), new(new(0, 1), new[] { -0f })] : [new(new(0, 2), new[] { -0f })], results[rank])
            .Wait(TestContext.Current.CancellationToken));
        Assert.True(float.IsNegative(results[0][0]));
        Assert.True(float.IsNegative(results[1][0]));
    }

    [Fact]
    public void AllReduce_by_one_rank_in_place_touches_no_memory()
    {
        var group = InProcessGroup.Create("run", 1, 1)[0];
        var values = new float[100_000];
        var operation = group.AllReduce(Key, 8, [new SubtreeSum(new TreeNode(3, 0), values)], values);
        Assert.True(operation.Completion.IsCompletedSuccessfully);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var step = 6; step < 106; step++)
        {
            group.AllReduce(new OperationKey("gradient", step), 8, [new SubtreeSum(new TreeNode(3, 0), values)], values)
                .Wait(TestContext.Current.CancellationToken);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 * 4096);
    }

    [Fact]
    public void AllGather_fills_every_buffer() =>
        Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[1, 5], Gen.UInt).Sample(
            (length, ranks, seed) =>
            {
                var whole = new byte[length];
                new Random((int)seed).NextBytes(whole);
                var ranges = Enumerable.Range(0, ranks).Select(r => RangeOwnership.Owned(length, r, ranks)).ToArray();
                var groups = InProcessGroup.Create("run", 1, ranks);
                RankThreads.Run(ranks, rank =>
                {
                    var buffer = new byte[length];
                    whole.AsSpan(ranges[rank].Start, ranges[rank].Count).CopyTo(buffer.AsSpan(ranges[rank].Start));
                    Finish(groups[rank].AllGather(Key, ranges, buffer), (seed >> rank) & 1);
                    Assert.True(whole.AsSpan().SequenceEqual(buffer));
                });
            },
            iter: 40);

    [Fact]
    public void Broadcast_and_SumCounts_and_Barrier_reach_all_ranks_in_any_order_of_starting()
    {
        const int Ranks = 4;
        var groups = InProcessGroup.Create("run", 1, Ranks);
        RankThreads.Run(Ranks, rank =>
        {
            var buffer = new byte[700_000];
            if (rank == 2)
            {
                buffer.AsSpan().Fill(7);
            }

            long[] counts = [rank, 10 * rank, long.MinValue / 4];
            var starts = new Func<ICollectiveOperation>[]
            {
                () => groups[rank].Broadcast(new OperationKey("parameters", 0), 2, buffer),
                () => groups[rank].SumCounts(new OperationKey("counts", 0), counts),
                () => groups[rank].Barrier(new OperationKey("step", 0)),
            };
            var running = Enumerable.Range(rank, 3).Select(i => starts[i % 3]()).ToArray();
            foreach (var operation in running)
            {
                operation.Wait(TestContext.Current.CancellationToken);
            }

            Assert.Equal(-1, buffer.AsSpan().IndexOfAnyExcept((byte)7));
            Assert.Equal([6, 60, long.MinValue], counts);
        });
    }

    [Fact]
    public async Task Completion_without_any_wait_completes()
    {
        var leaves = TreeSamples.Leaves(2, 50_000, 1);
        var groups = InProcessGroup.Create("run", 1, 2);
        var results = new[] { new float[50_000], new float[50_000] };
        var tasks = groups.Select(g => g.AllReduce(Key, 2, [new SubtreeSum(new TreeNode(0, g.Rank), leaves[g.Rank])], results[g.Rank]).Completion).ToArray();
        await Task.WhenAll(tasks).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        TreeSamples.AssertBits(TreeSamples.Sum(leaves), results[0]);
        TreeSamples.AssertBits(TreeSamples.Sum(leaves), results[1]);
    }

    [Theory]
    [InlineData("missing", "leaf 3 of 4 is missing")]
    [InlineData("twice", "rank 1: leaf 2 is held twice")]
    [InlineData("overlap", "leaf 2 is held twice")]
    [InlineData("outside", "rank 1: node (0, 4) is not in the tree of 4 leaves")]
    [InlineData("leaves", "rank 1: 5 leaves, rank 0 has 4")]
    [InlineData("result", "rank 1: 4 elements, rank 0 has 3")]
    [InlineData("length", "rank 1: node (0, 2) has 2 elements, not 3")]
    [InlineData("kind", "rank 1: the ranks use the key for different operations")]
    [InlineData("count", "rank 1: 4 elements, rank 0 has 3")]
    [InlineData("format", "rank 1: the format is Int8, by rank 0 Bf16")]
    public void AllReduce_defect_ends_the_group_for_every_rank_with_run_generation_key_and_culprit(string defect, string problem)
    {
        var groups = InProcessGroup.Create("run-9", 3, 2);
        var errors = new Exception?[2];
        RankThreads.RunInOrder([0, 1], (rank, next) =>
        {
            SubtreeSum Sum(int level, int index, int length = 3) => new(new TreeNode(level, index), new float[length]);
            SubtreeSum[] held = rank == 0 ? [Sum(1, 0)] : defect switch
            {
                "missing" => [Sum(0, 2)],
                "twice" => [Sum(0, 2), Sum(0, 3), Sum(0, 2)],
                "overlap" => [Sum(0, 2), Sum(1, 1)],
                "outside" => [Sum(1, 1), Sum(0, 4)],
                "length" => [Sum(0, 2, 2), Sum(0, 3)],
                _ => [Sum(1, 1)],
            };
            var result = new float[rank == 1 && defect is "result" or "count" && rank == 1 ? 4 : 3];
            var operation = rank == 1 && defect == "kind"
                ? groups[rank].Barrier(Key)
                : groups[rank].AllReduce(Key, rank == 1 && defect == "leaves" ? 5 : 4, held, result, rank == 1 && defect == "format" ? WireFormat.Int8 : WireFormat.Bf16);
            next();
            errors[rank] = RankThreads.Catch(() => operation.Wait(TestContext.Current.CancellationToken));
        });
        foreach (var error in errors)
        {
            var collective = Assert.IsType<CollectiveException>(error);
            Assert.StartsWith("Run run-9, generation 3, operation gradient/5: ", collective.Message, StringComparison.Ordinal);
            Assert.Contains(problem, collective.Message, StringComparison.Ordinal);
        }

        Assert.True(groups[0].Barrier(new OperationKey("later", 0)).Completion.IsFaulted);
        Assert.Equal(0, ((InProcessGroup)groups[0]).Live);
    }

    [Fact]
    public void Barrier_key_used_again_fails_whether_running_or_finished()
    {
        var running = InProcessGroup.Create("run", 1, 2);
        var first = running[0].Barrier(Key);
        var again = running[0].Barrier(Key);
        Assert.Contains("used twice", Assert.Throws<CollectiveException>(() => again.Wait(TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Throws<CollectiveException>(() => first.Wait(TestContext.Current.CancellationToken));

        var alone = InProcessGroup.Create("run", 1, 1)[0];
        alone.Barrier(Key).Wait(TestContext.Current.CancellationToken);
        var late = alone.Barrier(Key);
        Assert.Contains("used before", Assert.Throws<CollectiveException>(() => late.Wait(TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Abort_wakes_all_ranks_that_wait_and_fails_what_comes_later()
    {
        const int Ranks = 4;
        var groups = InProcessGroup.Create("run", 7, Ranks);
        var reason = new InvalidOperationException("out of memory");
        var errors = new Exception?[Ranks];
        RankThreads.RunInOrder([0, 1, 2, 3], (rank, next) =>
        {
            if (rank == 3)
            {
                groups[3].Abort(reason);
                return;
            }

            var operation = groups[rank].Barrier(Key);
            next();
            errors[rank] = RankThreads.Catch(() => operation.Wait(TestContext.Current.CancellationToken));
        });
        foreach (var error in errors.Take(3))
        {
            var collective = Assert.IsType<CollectiveException>(error);
            Assert.Contains("rank 3", collective.Message, StringComparison.Ordinal);
            Assert.Same(reason, collective.InnerException);
        }

        var later = groups[0].SumCounts(new OperationKey("counts", 1), new long[1]);
        Assert.Throws<CollectiveException>(() => later.Wait(TestContext.Current.CancellationToken));
        Assert.Throws<CollectiveException>(() => groups[0].OpenLeasedSum(new OperationKey("saliency", 0), 1, 1, []));
    }

    [Fact]
    public async Task DisposeAsync_of_a_rank_others_wait_for_fails_them()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var operation = groups[0].Barrier(Key);
        await groups[1].DisposeAsync();
        var error = Assert.Throws<CollectiveException>(() => operation.Wait(TestContext.Current.CancellationToken));
        Assert.Contains("rank 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => groups[1].Barrier(new OperationKey("step", 1)));
    }

    private static void Finish(ICollectiveOperation operation, uint byCompletion)
    {
        if (byCompletion == 1)
        {
            Assert.True(operation.Completion.Wait(RankThreads.Deadline), "The operation never completed.");
        }
        else
        {
            operation.Wait(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void Wait_given_up_ends_the_operation_for_all_ranks()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        using var giveUp = new CancellationTokenSource();
        var values = new float[100];
        var mine = groups[0].AllReduce(Key, 2, [new SubtreeSum(new TreeNode(0, 0), values)], values);
        giveUp.Cancel();
        Assert.Throws<OperationCanceledException>(() => mine.Wait(giveUp.Token));
        Assert.True(mine.Completion.IsFaulted);
        var theirs = groups[1].AllReduce(Key, 2, [new SubtreeSum(new TreeNode(0, 1), values)], values);
        Assert.Contains("given up", Assert.Throws<CollectiveException>(() => theirs.Wait(TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }
}
