using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

public sealed class LeasedSumTests
{
    private static readonly OperationKey Key = new("saliency", 0);

    private static readonly Gen<(int Leaves, int Length, int Ranks, uint Seed)> Shapes =
        Gen.Select(Gen.Int[1, 24], Gen.OneOf(Gen.Int[0, 50], Gen.Int[131_000, 200_000]), Gen.Int[1, 4], Gen.UInt);

    [Fact]
    public void Contribute_from_any_rank_in_any_order_more_than_once_gives_the_sequential_sum() =>
        Shapes.Sample(
            (leafCount, length, ranks, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var groups = InProcessGroup.Create("run", 1, ranks);
                var random = new Random((int)seed);
                var work = Enumerable.Range(0, leafCount).Concat(Enumerable.Range(0, leafCount).Where(_ => random.Next(2) == 0)).ToArray();
                random.Shuffle(work);
                RankThreads.Run(ranks, rank =>
                {
                    var sum = groups[rank].OpenLeasedSum(Key, leafCount, length, []);
                    for (var i = rank; i < work.Length; i += ranks)
                    {
                        var values = (float[])leaves[work[i]].Clone();
                        sum.Contribute(work[i], values).Wait(TestContext.Current.CancellationToken);
                        Array.Fill(values, float.NaN);
                    }

                    Assert.True(sum.Completion.Wait(RankThreads.Deadline), "A block never arrived.");
                    TreeSamples.AssertBits(expected.AsSpan(sum.Owned.Start, sum.Owned.Count), Result(sum));
                    groups[rank].Barrier(new OperationKey("closed", 0)).Wait(TestContext.Current.CancellationToken);
                    sum.DisposeAsync().AsTask().GetAwaiter().GetResult();
                });
                Assert.Equal(0, ((InProcessGroup)groups[0]).Live);
            },
            iter: 60);

    [Fact]
    public void Snapshot_resharded_to_another_number_of_ranks_continues_to_the_same_sum() =>
        Gen.Select(Shapes, Gen.Int[1, 4], Gen.Int[0, 24]).Sample(
            (shape, ranksAfter, done) =>
            {
                var (leafCount, length, ranks, seed) = shape;
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var before = InProcessGroup.Create("run", 1, ranks).Select(g => g.OpenLeasedSum(Key, leafCount, length, [])).ToArray();
                var order = Enumerable.Range(0, leafCount).ToArray();
                new Random((int)seed).Shuffle(order);
                foreach (var leaf in order.Take(done))
                {
                    before[leaf % ranks].Contribute(leaf, leaves[leaf]).Wait(TestContext.Current.CancellationToken);
                }

                var states = before.Select(static s => new LeasedSumState(s.Owned, s.Snapshot(TreeSamples.Copy))).ToArray();
                var dealt = LeasedSumState.Reshard(length, states, ranksAfter);
                var after = InProcessGroup.Create("run", 2, ranksAfter)
                    .Select(g => g.OpenLeasedSum(Key, leafCount, length, dealt[g.Rank].Partials)).ToArray();
                foreach (var leaf in order)
                {
                    after[leaf % ranksAfter].Contribute(leaf, leaves[leaf]).Wait(TestContext.Current.CancellationToken);
                }

                var expected = TreeSamples.Sum(leaves);
                foreach (var sum in after)
                {
                    TreeSamples.AssertBits(expected.AsSpan(sum.Owned.Start, sum.Owned.Count), Result(sum));
                }
            },
            iter: 60);

    [Fact]
    public async Task Snapshot_of_blocks_in_order_is_small_and_holds_up_contributions()
    {
        var sum = InProcessGroup.Create("run", 1, 1)[0].OpenLeasedSum(Key, 100, 4, []);
        for (var leaf = 0; leaf < 99; leaf++)
        {
            sum.Contribute(leaf, new float[] { leaf, 1, 1, 1 }).Wait(TestContext.Current.CancellationToken);
            Assert.InRange(sum.Snapshot(static s => s.Count), 1, 8);
        }

        // A contribution that comes meanwhile must not change what is being read.
        var last = sum.Snapshot(snapshot =>
        {
            var before = TreeSamples.Copy(snapshot);
            var contribution = Task.Run(() => sum.Contribute(99, new float[] { 1, 1, 1, 1 }));
            var after = TreeSamples.Copy(snapshot);
            Assert.Equal(before.Select(static s => s.Values.ToArray()), after.Select(static s => s.Values.ToArray()));
            Assert.False(sum.Completion.IsCompleted);
            return contribution;
        });
        (await last).Wait(TestContext.Current.CancellationToken);
        Assert.True(sum.Completion.IsCompletedSuccessfully);
    }

    [Fact]
    public void Contribute_before_all_owners_have_opened_waits_for_them()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var first = groups[0].OpenLeasedSum(Key, 1, 70_000, []);
        var early = first.Contribute(0, new float[70_000]);
        Assert.False(early.Completion.IsCompleted);
        var second = groups[1].OpenLeasedSum(Key, 1, 70_000, []);
        early.Wait(TestContext.Current.CancellationToken);
        Assert.True(first.Completion.IsCompletedSuccessfully);
        Assert.True(second.Completion.IsCompletedSuccessfully);
    }

    [Fact]
    public void Contribute_wrong_length_ends_the_group()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var sums = groups.Select(static g => g.OpenLeasedSum(Key, 2, 10, [])).ToArray();
        var bad = sums[1].Contribute(1, new float[9]);
        Assert.Contains("rank 1", Assert.Throws<CollectiveException>(() => bad.Wait(TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.IsType<CollectiveException>(sums[0].Completion.Exception!.InnerException);
    }

    [Fact]
    public void OpenLeasedSum_restored_overlap_or_other_shape_ends_the_group()
    {
        var overlapping = InProcessGroup.Create("run", 1, 1)[0];
        Assert.Throws<CollectiveException>(() => overlapping.OpenLeasedSum(
            Key, 2, 1, [new(new TreeNode(0, 0), new float[1]), new(new TreeNode(1, 0), new float[1])]));
        var groups = InProcessGroup.Create("run", 1, 2);
        var opened = groups[0].OpenLeasedSum(Key, 2, 1, []);
        Assert.Throws<CollectiveException>(() => groups[1].OpenLeasedSum(Key, 3, 1, []));
        Assert.True(opened.Completion.IsFaulted);
    }

    [Fact]
    public void Abort_fails_the_completion_of_every_owner()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var sums = groups.Select(static g => g.OpenLeasedSum(Key, 2, 10, [])).ToArray();
        groups[1].Abort(new InvalidOperationException("lost"));
        Assert.IsType<CollectiveException>(sums[0].Completion.Exception!.InnerException);
        var late = sums[0].Contribute(0, new float[10]);
        Assert.Throws<CollectiveException>(() => late.Wait(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Reshard_ranges_with_different_nodes_is_refused()
    {
        var one = new LeasedSumState(new IndexRange(0, 1), [new(new TreeNode(0, 0), new float[1])]);
        var other = new LeasedSumState(new IndexRange(1, 2), [new(new TreeNode(0, 1), new float[1])]);
        Assert.Throws<ArgumentException>(() => LeasedSumState.Reshard(2, [one, other], 1));
        Assert.Throws<ArgumentException>(() => LeasedSumState.Reshard(3, [one], 1));
        Assert.Throws<ArgumentException>(() => LeasedSumState.Reshard(2, [other], 1));
    }

    private static float[] Result(ILeasedSum sum) => sum.Completion.GetAwaiter().GetResult().ToArray();
}
