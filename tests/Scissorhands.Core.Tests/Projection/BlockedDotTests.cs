using CsCheck;
using Scissorhands.Core.Projection;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Tests.Projection;

public sealed class BlockedDotTests
{
    private const int Block = RangeOwnership.BlockElements;

    [Fact]
    public void Dots_any_segments_equal_the_definition_bit_for_bit()
    {
        var gen =
            from length in Gen.OneOf(Gen.Int[1, 40], Gen.Int[Block - 9, Block + 9], Gen.Int[3 * Block, (3 * Block) + 100])
            from cuts in Gen.Int[0, length].Array[0, 8]
            from memories in Gen.Int[1, 3]
            from seed in Gen.Int
            select (length, cuts, memories, seed);
        gen.Sample(
            c =>
            {
                var segments = Segments(c.length, c.cuts);
                var gradient = Vector(c.length, c.seed);
                var memories = Enumerable.Range(1, c.memories).Select(j => Vector(c.length, c.seed + j)).ToArray();
                var dots = BlockedDot.Dots(gradient, memories, segments);
                Assert.Equal(memories.Select(m => ByDefinition(gradient, m, segments)), dots);
            },
            iter: 150);
    }

    [Fact]
    public void Partial_any_dealing_of_blocks_to_owners_gives_the_same_bits()
    {
        Gen.Select(Gen.Int[1, (5 * Block) + 5], Gen.Int[1, 5], Gen.Int).Sample(
            (length, ranks, seed) =>
            {
                var segments = Segments(length, [length / 7, length / 2, (length / 2) + 1, length]);
                var a = Vector(length, seed);
                var b = Vector(length, seed + 1);
                var values = new double[RangeOwnership.Blocks(length)];
                for (var rank = 0; rank < ranks; rank++)
                {
                    var owned = RangeOwnership.Owned(length, rank, ranks);
                    for (var block = owned.Start / Block; block * Block < owned.End; block++)
                    {
                        values[block] = BlockedDot.Partial(a.AsSpan(owned.Start, owned.Count), b.AsSpan(owned.Start, owned.Count), owned.Start, segments, block);
                    }
                }

                Assert.Equal(BlockedDot.Dots(a, [b], segments)[0], BlockedDot.Tree(values));
            },
            iter: 40);
    }

    [Fact]
    public void BlockValues_parts_of_any_dealing_combine_to_the_dots_of_the_whole()
    {
        var gen =
            from length in Gen.OneOf(Gen.Int[1, 40], Gen.Int[Block - 9, Block + 9], Gen.Int[2 * Block, (5 * Block) + 100])
            from cuts in Gen.Int[0, length].Array[0, 8]
            from memories in Gen.Int[0, 3]
            from ranks in Gen.Int[1, 7]
            from seed in Gen.Int
            select (length, cuts, memories, ranks, seed);
        gen.Sample(
            c =>
            {
                var segments = Segments(c.length, c.cuts);
                var gradient = Vector(c.length, c.seed);
                var memories = Enumerable.Range(1, c.memories).Select(j => Vector(c.length, c.seed + j)).ToArray();
                double[] values =
                [
                    .. RangeOwnership.All(c.length, c.ranks).SelectMany(part => BlockedDot.BlockValues(
                        gradient.AsSpan(part.Start, part.Count), [.. memories.Select(m => m[part.Start..part.End])], segments, part.Start)),
                ];
                Assert.Equal(memories.Select(m => ByDefinition(gradient, m, segments)), BlockedDot.Combine(values, c.memories));
            },
            iter: 150);
    }

    [Fact]
    public void Tree_any_count_follows_the_reduction_tree()
    {
        Gen.Double[-1, 1].Array[1, 70].Sample(values =>
        {
            var tree = new ReductionTree(values.Length);
            double Sum(TreeNode node) => node.Level == 0
                ? values[node.Index]
                : tree.Contains(new TreeNode(node.Level - 1, (2 * node.Index) + 1))
                    ? Sum(new TreeNode(node.Level - 1, 2 * node.Index)) + Sum(new TreeNode(node.Level - 1, (2 * node.Index) + 1))
                    : Sum(new TreeNode(node.Level - 1, 2 * node.Index));
            Assert.Equal(Sum(tree.Root), BlockedDot.Tree(values));
        });
    }

    [Fact]
    public void Gram_memories_is_symmetric_and_holds_their_dots()
    {
        IndexRange[] segments = [new(3, 500), new(510, 1000)];
        var memories = Enumerable.Range(0, 4).Select(j => Vector(1000, j)).ToArray();
        var gram = BlockedDot.Gram(memories, segments);
        for (var i = 0; i < 4; i++)
        {
            for (var j = 0; j < 4; j++)
            {
                Assert.Equal(ByDefinition(memories[i], memories[j], segments), gram[i, j]);
            }
        }
    }

    private static float[] Vector(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Exp(random.NextDouble() * 10)))];
    }

    private static IndexRange[] Segments(int length, int[] cuts)
    {
        if (cuts.Length < 2)
        {
            return [new IndexRange(0, length)];
        }

        Array.Sort(cuts);
        return [.. Enumerable.Range(0, cuts.Length / 2).Select(i => new IndexRange(cuts[2 * i], cuts[(2 * i) + 1])).Where(r => r.Count > 0)];
    }

    private static double ByDefinition(float[] a, float[] b, IndexRange[] segments)
    {
        var counts = new bool[a.Length];
        foreach (var segment in segments)
        {
            counts.AsSpan(segment.Start, segment.Count).Fill(true);
        }

        var blocks = new List<double>();
        for (var start = 0; start < a.Length; start += Block)
        {
            var lanes = new double[8];
            for (var i = start; i < Math.Min(a.Length, start + Block); i++)
            {
                lanes[i % 8] += counts[i] ? (double)a[i] * b[i] : 0;
            }

            blocks.Add(((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])));
        }

        while (blocks.Count > 1)
        {
            blocks = [.. blocks.Chunk(2).Select(pair => pair.Length == 2 ? pair[0] + pair[1] : pair[0])];
        }

        return blocks[0];
    }
}
