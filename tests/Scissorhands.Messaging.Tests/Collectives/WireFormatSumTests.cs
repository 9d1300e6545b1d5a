using System.Runtime.InteropServices;
using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Tests.Wire;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

/// <summary>In every format the result is the sequential sum over the tree, for any cut, dealing, number of ranks and order.</summary>
public sealed class WireFormatSumTests
{
    private static readonly OperationKey Key = new("gradient", 5);

    private static readonly Gen<WireFormat> Formats = Gen.OneOfConst(WireFormat.Fp32, WireFormat.Bf16, WireFormat.Int8);

    private static readonly Gen<(WireFormat Format, float[][] Leaves, int Ranks, uint Seed)> Shapes =
        Gen.Select(
            Formats,
            Gen.Int[1, 20],
            Gen.OneOf(Gen.Int[0, 600], Gen.Int[0, 600], Gen.Int[SumOperation.ChunkElements - 1, SumOperation.ChunkElements + 1], Gen.Int[60_000, 140_000]),
            Gen.Int[1, 9],
            Gen.UInt).Select(static (format, count, length, ranks, seed) => (format, Leaves(length > 600 ? Math.Min(count, 5) : count, length, seed), ranks, seed));

    [Fact]
    public void AllReduce_any_cut_dealing_and_arrival_order_gives_the_sequential_sum_on_all_ranks() =>
        Shapes.Sample(
            static (format, leaves, ranks, seed) =>
            {
                var length = leaves[0].Length;
                var expected = TreeSamples.Sum(leaves, format);
                var held = TreeSamples.Deal(leaves, ranks, seed, format);
                var before = held.Select(TreeSamples.Copy).ToArray();
                var groups = InProcessGroup.Create("run", 1, ranks);
                var order = Enumerable.Range(0, ranks).ToArray();
                new Random((int)seed).Shuffle(order);
                RankThreads.RunInOrder(order, (rank, next) =>
                {
                    var result = new float[length];
                    var operation = groups[rank].AllReduce(Key, leaves.Length, held[rank], result, format);
                    next();
                    operation.Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected, result);
                    for (var i = 0; i < held[rank].Count; i++)
                    {
                        TreeSamples.AssertBits(before[rank][i].Values.Span, held[rank][i].Values.Span);
                    }
                });
            },
            iter: 80);

    [Fact]
    public void AllReduce_of_folded_leaves_into_the_memory_of_one_gives_the_sequential_sum() =>
        Shapes.Sample(
            static (format, leaves, ranks, seed) =>
            {
                var expected = TreeSamples.Sum(leaves, format);
                var tree = new ReductionTree(leaves.Length);
                var groups = InProcessGroup.Create("run", 1, ranks);
                RankThreads.Run(ranks, rank =>
                {
                    using var fold = new TreeAccumulator(tree, format: format);
                    var dealt = tree.Deal(rank, ranks);
                    var order = Enumerable.Range(dealt.Start, dealt.Count).ToArray();
                    new Random((int)seed).Shuffle(order);
                    foreach (var leaf in order)
                    {
                        fold.Add(new TreeNode(0, leaf), leaves[leaf]);
                    }

                    SubtreeSum[] held = [.. fold.Roots.Select(static r => r with { Values = r.Values.ToArray() })];
                    var result = held.Length > 0 ? System.Runtime.InteropServices.MemoryMarshal.AsMemory(held[(int)(seed % (uint)held.Length)].Values) : new float[leaves[0].Length];
                    groups[rank].AllReduce(Key, leaves.Length, held, result, format).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected, result.Span);
                });
            },
            iter: 60);

    [Fact]
    public void AllReduce_by_one_rank_of_one_leaf_in_place_is_rounded() =>
        Gen.Select(Formats, Gen.Int[0, 600], Gen.UInt).Sample(static (format, length, seed) =>
        {
            var leaves = Leaves(1, length, seed);
            var expected = TreeSamples.Sum(leaves, format);
            InProcessGroup.Create("run", 1, 1)[0].AllReduce(Key, 1, [new SubtreeSum(new TreeNode(0, 0), leaves[0])], leaves[0], format)
                .Wait(TestContext.Current.CancellationToken);
            TreeSamples.AssertBits(expected, leaves[0]);
        });

    [Fact]
    public void ReduceScatter_gives_each_rank_its_range_of_the_sequential_sum() =>
        Shapes.Sample(
            static (format, leaves, ranks, seed) =>
            {
                var length = leaves[0].Length;
                var expected = TreeSamples.Sum(leaves, format);
                var held = TreeSamples.Deal(leaves, ranks, seed, format);
                var groups = InProcessGroup.Create("run", 1, ranks);
                RankThreads.Run(ranks, rank =>
                {
                    var owned = RangeOwnership.Owned(length, rank, ranks);
                    var result = new float[owned.Count];
                    groups[rank].ReduceScatter(Key, leaves.Length, held[rank], length, result, format).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), result);

                    // Where there is something held, its own range may receive the result.
                    var inPlace = held[rank].Count > 0 ? MemoryMarshal.AsMemory(held[rank][0].Values)[owned.Start..owned.End] : result;
                    groups[rank].ReduceScatter(Key with { Step = Key.Step + 1 }, leaves.Length, held[rank], length, inPlace, format).Wait(TestContext.Current.CancellationToken);
                    TreeSamples.AssertBits(expected.AsSpan(owned.Start, owned.Count), inPlace.Span);
                });
            },
            iter: 40);

    [Fact]
    public void TryAdd_any_order_with_duplicates_gives_the_sequential_sum_without_touching_leaves() =>
        Gen.Select(Formats, Gen.Int[1, 40], Gen.OneOf(Gen.Int[0, 600], Gen.Int[4_000, 9_000]), Gen.UInt).Sample(
            static (format, count, length, seed) =>
            {
                var leaves = Leaves(count, length, seed);
                var before = leaves.Select(static l => (float[])l.Clone()).ToArray();
                using var accumulator = new TreeAccumulator(new ReductionTree(1), length);
                accumulator.Reset(new ReductionTree(count), format);
                var arrivals = Enumerable.Range(0, count).Concat(Enumerable.Range(0, count)).ToArray();
                new Random((int)seed).Shuffle(arrivals);
                var seen = new HashSet<int>();
                foreach (var leaf in arrivals)
                {
                    Assert.Equal(seen.Add(leaf), accumulator.TryAdd(new TreeNode(0, leaf), leaves[leaf]));
                }

                TreeSamples.AssertBits(TreeSamples.Sum(leaves, format), accumulator.Sum.Span);
                for (var leaf = 0; leaf < count; leaf++)
                {
                    TreeSamples.AssertBits(before[leaf], leaves[leaf]);
                }
            },
            iter: 60);

    /// <summary>Sums of three leaves in which rounding only the sent nodes, or only at the end, gives another result.</summary>
    [Fact]
    public void AllReduce_in_bf16_rounds_nodes_that_are_not_sent()
    {
        float[][] leaves = [[1], [0.00390625f], [0.00390625f]];
        var group = InProcessGroup.Create("run", 1, 1)[0];
        var result = new float[1];
        group.AllReduce(Key, 3, [.. leaves.Select(static (l, i) => new SubtreeSum(new TreeNode(0, i), l))], result, WireFormat.Bf16)
            .Wait(TestContext.Current.CancellationToken);
        Assert.Equal(1f, result[0]);
    }

    [Fact]
    public void AllReduce_in_int8_of_a_diverged_leaf_is_NaN_on_all_ranks()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        RankThreads.Run(2, rank =>
        {
            var values = new float[300];
            values[7] = rank == 0 ? float.PositiveInfinity : 1;
            groups[rank].AllReduce(Key, 2, [new SubtreeSum(new TreeNode(0, rank), values)], values, WireFormat.Int8).Wait(TestContext.Current.CancellationToken);
            Assert.All(values[..256], static v => Assert.True(float.IsNaN(v)));
            Assert.All(values[256..], static v => Assert.Equal(0, v));
        });
    }

    /// <summary>Half of the shapes have values so far apart that most are lost in a block, half do not.</summary>
    private static float[][] Leaves(int count, int length, uint seed)
    {
        if ((seed & 1) == 0)
        {
            return TreeSamples.Leaves(count, length, seed);
        }

        var random = new Random((int)seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-6, 2)))).ToArray())];
    }
}
