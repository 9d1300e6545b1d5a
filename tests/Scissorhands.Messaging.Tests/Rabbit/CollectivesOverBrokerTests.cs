using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>The collectives over a real broker give what their twin within one process gives.</summary>
public sealed class CollectivesOverBrokerTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private static readonly CollectiveOptions Small = new() { ChunkBytes = 65_536, WindowBytes = 262_144 };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(7)]
    public async Task AllReduce_and_ReduceScatter_any_cut_and_dealing_give_the_sequential_sum(int ranks)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, ranks, Small);
        var step = 0L;
        Gen.Select(Gen.Int[1, 12], Gen.OneOf(Gen.Int[0, 100], Gen.Int[16_383, 16_386], Gen.Int[60_000, 500_000]), Gen.Enum<WireFormat>(), Gen.Bool, Gen.UInt).Sample(
            (leafCount, length, format, inPlace, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves, format);
                var held = TreeSamples.Deal(leaves, ranks, seed, format);
                var key = new OperationKey("gradient", step++);
                RankThreads.Run(ranks, rank =>
                {
                    var owned = RangeOwnership.Owned(length, rank, ranks);
                    var part = new float[owned.Count];
                    groups.Ranks[rank].ReduceScatter(key with { Purpose = "scatter" }, leafCount, held[rank], length, part, format).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), part);
                    SubtreeSum[] own = [.. held[rank].Select(static h => h with { Values = h.Values.ToArray() })];
                    if (own.Length > 0)
                    {
                        var inside = System.Runtime.InteropServices.MemoryMarshal.AsMemory(own[0].Values)[owned.Start..owned.End];
                        groups.Ranks[rank].ReduceScatter(key with { Purpose = "scatter-in-place" }, leafCount, own, length, inside, format).Wait(TestContext.Current.CancellationToken);
                        TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), inside.Span);
                    }
                    else
                    {
                        groups.Ranks[rank].ReduceScatter(key with { Purpose = "scatter-in-place" }, leafCount, own, length, part, format).Wait(TestContext.Current.CancellationToken);
                    }

                    var result = inPlace && held[rank].Count > 0 ? System.Runtime.InteropServices.MemoryMarshal.AsMemory(held[rank][0].Values) : new float[length];
                    groups.Ranks[rank].AllReduce(key, leafCount, held[rank], result, format).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected, result.Span);
                });
                Assert.All(groups.Ranks, static rank => Assert.Equal(0, rank.Live));
            },
            iter: 40,
            threads: 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task SumDoubles_any_cut_and_dealing_give_the_sequential_sum(int ranks)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, ranks, Small);
        var step = 0L;
        Gen.Select(Gen.Int[1, 12], Gen.OneOf(Gen.Int[0, 9], Gen.Int[8_000, SubtreeDoubles.MaxLength]), Gen.UInt).Sample(
            (leafCount, length, seed) =>
            {
                var leaves = TreeSamples.Doubles(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var held = TreeSamples.Deal(leaves, ranks, seed);
                var key = new OperationKey("norms", step++);
                RankThreads.Run(ranks, rank =>
                {
                    var result = rank % 2 == 0 && held[rank].Count > 0 ? System.Runtime.InteropServices.MemoryMarshal.AsMemory(held[rank][0].Values) : new double[length];
                    groups.Ranks[rank].SumDoubles(key, leafCount, held[rank], result).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected, result.ToArray());
                });
                Assert.All(groups.Ranks, static rank => Assert.Equal(0, rank.Live));
            },
            iter: 40,
            threads: 1);
    }

    [Fact]
    public async Task Operations_in_flight_at_once_and_started_in_different_orders_do_not_disturb_each_other()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        const int Ranks = 3;
        const int Buckets = 5;
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Small);
        var leaves = TreeSamples.Leaves(4, 300_000, 7);
        var expected = TreeSamples.Sum(leaves);
        var held = TreeSamples.Deal(leaves, Ranks, 7);
        RankThreads.Run(Ranks, rank =>
        {
            var order = Enumerable.Range(0, Buckets).ToArray();
            new Random(rank).Shuffle(order);
            var results = order.Select(_ => new float[300_000]).ToArray();
            var counts = new long[] { rank, 1 };
            var running = order.Select(bucket => groups.Ranks[rank].AllReduce(new OperationKey("bucket", bucket), 4, held[rank], results[bucket])).ToList();
            running.Add(groups.Ranks[rank].SumCounts(new OperationKey("counts", 0), counts));
            running.Add(groups.Ranks[rank].Barrier(new OperationKey("barrier", 0)));
            running.ForEach(static operation => operation.Wait(TestContext.Current.CancellationToken));
            Assert.Equal([0 + 1 + 2, Ranks], counts);
            Assert.All(results, result => TreeSamples.AssertBits(expected, result));
        });
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task AllGather_and_Broadcast_fill_every_buffer(int ranks)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, ranks, Small);
        var step = 0L;
        Gen.Select(Gen.OneOf(Gen.Int[0, 50], Gen.Int[60_000, 3_000_000]), Gen.UInt).Sample(
            (length, seed) =>
            {
                var whole = new byte[length];
                new Random((int)seed).NextBytes(whole);
                var ranges = RangeOwnership.All(length, ranks);
                var root = (int)(seed % ranks);
                var key = new OperationKey("gather", step++);
                RankThreads.Run(ranks, rank =>
                {
                    var buffer = new byte[length];
                    whole.AsSpan(ranges[rank].Start, ranges[rank].Count).CopyTo(buffer.AsSpan(ranges[rank].Start));
                    groups.Ranks[rank].AllGather(key, ranges, buffer).Wait(TestContext.Current.CancellationToken);
                    Assert.True(whole.AsSpan().SequenceEqual(buffer));
                    var given = rank == root ? (byte[])whole.Clone() : new byte[length];
                    groups.Ranks[rank].Broadcast(key with { Purpose = "given" }, root, given).Wait(TestContext.Current.CancellationToken);
                    Assert.True(whole.AsSpan().SequenceEqual(given));
                });
            },
            iter: 15,
            threads: 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task LeasedSum_leaves_from_any_rank_twice_and_in_any_order_give_the_sequential_sum(int ranks)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, ranks, Small);
        const int Length = 400_000;
        var leaves = TreeSamples.Leaves(9, Length, 3);
        var expected = TreeSamples.Sum(leaves);
        RankThreads.Run(ranks, rank =>
        {
            var sum = groups.Ranks[rank].OpenLeasedSum(new OperationKey("sensitivity", 0), leaves.Length, Length, []);
            for (var leaf = 0; leaf < leaves.Length; leaf++)
            {
                // The last rank repeats what others contribute.
                if (leaf % ranks == rank || rank == ranks - 1)
                {
                    sum.Contribute(leaf, leaves[leaf]).Wait(TestContext.Current.CancellationToken);
                }
            }

            var owned = sum.Completion.WaitAsync(RankThreads.Deadline).GetAwaiter().GetResult();
            TreeSamples.AssertBits(expected.AsSpan(sum.Owned.Start, sum.Owned.Count), owned.Span);
            groups.Ranks[rank].Barrier(new OperationKey("end", 0)).Wait(TestContext.Current.CancellationToken);
            sum.DisposeAsync().AsTask().GetAwaiter().GetResult();
        });
    }

    [Fact]
    public async Task Generations_follow_each_other_on_the_same_links_with_and_without_a_key()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        const int Ranks = 3;
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Small);
        for (var generation = 1; generation <= 6; generation++)
        {
            RankThreads.Run(Ranks, rank =>
            {
                var values = new float[200_000];
                Array.Fill(values, 1 << rank);
                groups.Ranks[rank].AllReduce(new OperationKey("gradient", 0), Ranks, [new SubtreeSum(new TreeNode(0, rank), values)], values).Wait(TestContext.Current.CancellationToken);
                Assert.All(values, static value => Assert.Equal(7, value));
            });
            await groups.RenewAsync(generation + 1, Small, generation % 2 == 0 ? BrokerGroups.Key : []);
        }
    }

    [Fact]
    public async Task Frames_of_a_generation_that_has_ended_never_reach_the_next_one()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, 2, Small);
        string[] queues = [.. groups.Links.Select(static l => l.QueueName)];
        await groups.Ranks[0].DisposeAsync();

        // This rank's farewell comes when the other has left its group, and has none.
        await groups.Ranks[1].DisposeAsync();
        await using var second = new RabbitCollectiveGroup(groups.Links[1], "run", 2, 1, queues, BrokerGroups.Key, Small);
        await Until(() => groups.Links[0].EarlyFrames > 0);
        await using var first = new RabbitCollectiveGroup(groups.Links[0], "run", 2, 0, queues, BrokerGroups.Key, Small);
        RankThreads.Run(2, rank => (rank == 0 ? first : second).Barrier(new OperationKey("step", 0)).Wait(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Wait_given_up_lets_go_of_the_memory_and_tells_the_others()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, 2, Small);
        using var giveUp = new CancellationTokenSource();
        var values = new float[1_000_000];
        var mine = groups.Ranks[0].AllReduce(new OperationKey("gradient", 0), 2, [new SubtreeSum(new TreeNode(0, 0), values)], values);
        giveUp.Cancel();
        Assert.Throws<OperationCanceledException>(() => mine.Wait(giveUp.Token));
        Assert.True(mine.Completion.IsFaulted);
        Assert.Equal(0, groups.Ranks[0].Live);
        var theirs = groups.Ranks[1].AllReduce(new OperationKey("gradient", 0), 2, [new SubtreeSum(new TreeNode(0, 1), values)], values);
        Assert.Contains("gave up", Assert.Throws<CollectiveException>(() => theirs.Wait(TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Links_serve_one_run_after_another_whose_generations_begin_anew()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, 2, Small);
        await groups.RenewAsync(5, Small);
        string[] queues = [.. groups.Links.Select(static l => l.QueueName)];
        foreach (var rank in groups.Ranks)
        {
            await rank.DisposeAsync();
        }

        RabbitCollectiveGroup[] next = [.. groups.Links.Select((link, rank) => new RabbitCollectiveGroup(link, "another run", 1, rank, queues, BrokerGroups.Key, Small))];
        RankThreads.Run(2, rank => next[rank].Barrier(new OperationKey("step", 0)).Wait(TestContext.Current.CancellationToken));
        foreach (var rank in next)
        {
            await rank.DisposeAsync();
        }
    }

    private static async Task Until(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(RankThreads.Deadline);
        while (!condition())
        {
            await Task.Delay(5, deadline.Token);
        }
    }
}
