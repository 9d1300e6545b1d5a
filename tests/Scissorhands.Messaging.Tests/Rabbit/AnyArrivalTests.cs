using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>The operations of the broker's ranks, under any order of arrival and any number of duplicates.</summary>
public sealed class AnyArrivalTests
{
    private static readonly Gen<CollectiveOptions> Options =
        Gen.Select(Gen.OneOfConst(1, 2, 4), Gen.OneOfConst(1, 3, 16)).Select((chunk, windows) => new CollectiveOptions { ChunkBytes = chunk << 16, WindowBytes = windows * (chunk << 16) });

    [Fact]
    public void Sum_any_arrival_duplicates_chunks_and_world_give_the_sequential_sum() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[16_385, 400_000], Gen.OneOf(Gen.Int[1, 9], Gen.OneOfConst(16, 33, 64)), Options, Gen.Enum<WireFormat>(), Gen.Bool, Gen.UInt).Sample(
            (leafCount, length, ranks, options, format, scatter, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves, format);
                var held = TreeSamples.Deal(leaves, ranks, seed, format);
                var network = new FakeNetwork(ranks, options, (int)seed, duplicates: 0.2);
                var id = new OperationId(1, 2);
                var sums = network.Hosts.Select(host => new RabbitSum(host, id, scatter, leafCount, length, format)).ToArray();
                var results = network.Hosts.Select(host => new float[scatter ? RangeOwnership.Owned(length, host.Rank, ranks).Count : length]).ToArray();
                var order = Enumerable.Range(0, ranks).ToArray();
                var random = new Random((int)seed);
                random.Shuffle(order);
                foreach (var rank in order)
                {
                    // Some frames arrive before others have come to the operation.
                    Assert.Null(sums[rank].Start(new OperationKey("sum", 2), leafCount, held[rank], length, results[rank], format));
                    Assert.Null(random.Next(2) == 0 ? network.Run((target, _) => sums[target]) : null);
                }

                Assert.Null(network.Run((target, _) => sums[target]));
                for (var rank = 0; rank < ranks; rank++)
                {
                    Assert.True(sums[rank].Completion.IsCompletedSuccessfully, $"Rank {rank} waits for {string.Join(", ", sums[rank].Missing())}.");
                    var owned = RangeOwnership.Owned(length, rank, ranks);
                    TreeSamples.AssertBits(scatter ? expected.AsSpan(owned.Start, owned.Count) : expected, results[rank]);
                }
            },
            iter: 60);

    [Fact]
    public void Gather_any_arrival_and_duplicates_give_every_rank_everything() =>
        Gen.Select(Gen.Int[0, 600_000], Gen.Int[1, 9], Options, Gen.UInt).Sample(
            (length, ranks, options, seed) =>
            {
                var whole = new byte[length];
                new Random((int)seed).NextBytes(whole);
                var ranges = RangeOwnership.All(length, ranks);
                var network = new FakeNetwork(ranks, options, (int)seed, duplicates: 0.2);
                var gathers = network.Hosts.Select(host => new RabbitGather(host, new OperationId(1, 2), OperationKind.AllGather)).ToArray();
                var buffers = network.Hosts.Select(_ => new byte[length]).ToArray();
                for (var rank = 0; rank < ranks; rank++)
                {
                    var mine = rank;
                    whole.AsSpan(ranges[rank].Start, ranges[rank].Count).CopyTo(buffers[rank].AsSpan(ranges[rank].Start));
                    var task = new GatherTask(
                        buffers[rank].AsMemory(ranges[rank].Start, ranges[rank].Count),
                        [.. ranges.Select(static r => r.Count == 0 ? GatherTask.Nothing : r.Count)],
                        (source, first, bytes) => bytes.CopyTo(buffers[mine].AsSpan(ranges[source].Start + first)),
                        static () => null);
                    Assert.Null(gathers[rank].Start(new OperationKey("gather", 2), task));
                    Assert.Null(network.Run((target, _) => gathers[target]));
                }

                Assert.All(gathers, static gather => Assert.True(gather.Completion.IsCompletedSuccessfully));
                Assert.All(buffers, buffer => Assert.True(whole.AsSpan().SequenceEqual(buffer)));
            },
            iter: 60);

    [Fact]
    public void Sum_of_doubles_any_arrival_duplicates_and_world_give_the_sequential_sum() =>
        Gen.Select(Gen.Int[1, 20], Gen.OneOf(Gen.Int[0, 9], Gen.Int[10_000, SubtreeDoubles.MaxLength]), Gen.OneOf(Gen.Int[1, 9], Gen.OneOfConst(16, 33)), Options, Gen.UInt).Sample(
            (leafCount, length, ranks, options, seed) =>
            {
                var leaves = TreeSamples.Doubles(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var held = TreeSamples.Deal(leaves, ranks, seed);
                var network = new FakeNetwork(ranks, options, (int)seed, duplicates: 0.2);
                var gathers = network.Hosts.Select(host => new RabbitGather(host, new OperationId(1, 2), OperationKind.SumDoubles)).ToArray();
                var results = network.Hosts.Select(_ => new double[length]).ToArray();
                var order = Enumerable.Range(0, ranks).ToArray();
                new Random((int)seed).Shuffle(order);
                foreach (var rank in order)
                {
                    var sum = new SmallSum<double>(leafCount, length, ranks, 16 << 20, WireFormat.Fp32);
                    Assert.Null(sum.TryBegin(rank, SubtreeDoubles.Parts(held[rank]), new IndexRange(0, length), results[rank], out var task));
                    Assert.Null(gathers[rank].Start(new OperationKey("norms", 2), task));
                    Assert.Null(network.Run((target, _) => gathers[target]));
                }

                Assert.All(gathers, static gather => Assert.True(gather.Completion.IsCompletedSuccessfully));
                Assert.All(results, result => TreeSamples.AssertBits(expected, result));
            },
            iter: 60);

    [Fact]
    public void LeasedSum_any_arrival_and_duplicates_give_the_sequential_sum() =>
        Gen.Select(Gen.Int[1, 9], Gen.Int[1, 300_000], Gen.Int[1, 7], Options, Gen.UInt).Sample(
            (leafCount, length, ranks, options, seed) =>
            {
                var leaves = TreeSamples.Leaves(leafCount, length, seed);
                var expected = TreeSamples.Sum(leaves);
                var network = new FakeNetwork(ranks, options, (int)seed, duplicates: 0.2);
                var sums = network.Hosts.Select(host => new RabbitLeasedSum(host, new OperationId(1, 2), leafCount, length, static (_, problem) => Assert.Fail(problem))).ToArray();
                var random = new Random((int)seed);
                var contributions = new List<ICollectiveOperation>();
                for (var rank = 0; rank < ranks; rank++)
                {
                    Assert.Null(sums[rank].Open(new OperationKey("sensitivity", 2), leafCount, length, []));
                    for (var leaf = 0; leaf < leafCount; leaf++)
                    {
                        // Each leaf by somebody, some by several.
                        if (leaf % ranks == rank || random.Next(3) == 0)
                        {
                            contributions.Add(sums[rank].Contribute(leaf, leaves[leaf]));
                        }
                    }

                    Assert.Null(network.Run((target, _) => sums[target]));
                }

                Assert.Null(network.Run((target, _) => sums[target]));
                for (var rank = 0; rank < ranks; rank++)
                {
                    var owned = ((ILeasedSum)sums[rank]).Owned;
                    var completion = ((ILeasedSum)sums[rank]).Completion;
                    Assert.True(completion.IsCompletedSuccessfully, $"Rank {rank} holds {string.Join(", ", ((ILeasedSum)sums[rank]).Snapshot(static roots => roots.Select(static r => r.Node).ToArray()))}: {completion.Exception}.");
                    TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), completion.GetAwaiter().GetResult().Span);
                }
            },
            iter: 60);
}
