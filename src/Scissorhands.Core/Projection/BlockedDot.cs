using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Projection;

/// <summary>
/// Dot products of flat float32 vectors with one answer. The vector is cut into blocks of 65,536 elements; within a block
/// element i is added, in float64, to lane i mod 8, and the lanes are added in a fixed order; block values are added along
/// the tree of <see cref="ReductionTree"/>. The product of two floats is exact in float64, so a fused multiply-add gives
/// the same bits as a multiplication and an addition, on every processor. Elements outside the segments count as zero,
/// and adding zero changes no lane, so that neither segments nor owners move an element to another lane.
/// </summary>
public static class BlockedDot
{
    private const int Lanes = 8;

    // Elements of the gradient that stay in the first-level cache while every memory's part of them passes by.
    private const int ChunkElements = 2048;

    /// <summary>The dot product of one block.</summary>
    /// <param name="a">Part of the first vector that holds the block.</param>
    /// <param name="b">The same part of the second vector.</param>
    /// <param name="flatStart">Flat index of the parts' first element.</param>
    /// <param name="segments">Flat ranges that count, disjoint and ascending.</param>
    /// <param name="block">Index of the block; what of it the segments hold lies within the parts.</param>
    /// <returns>The block's value.</returns>
    public static double Partial(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int flatStart, IReadOnlyList<IndexRange> segments, int block)
    {
        ArgumentNullException.ThrowIfNull(segments);
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, a.Length);
        Span<double> lanes = stackalloc double[Lanes];
        lanes.Clear();
        var (blockStart, blockEnd) = Bounds(block);
        foreach (var segment in segments)
        {
            var start = Math.Max(segment.Start, blockStart);
            var end = (int)Math.Min(segment.End, blockEnd);
            if (start < end)
            {
                Accumulate(a[(start - flatStart)..(end - flatStart)], b[(start - flatStart)..(end - flatStart)], start, lanes);
            }
        }

        return Combine(lanes);
    }

    /// <summary>Adds block values along the tree over their indices.</summary>
    /// <param name="blocks">The values of all blocks.</param>
    /// <returns>The sum; 0 where there are no blocks.</returns>
    public static double Tree(ReadOnlySpan<double> blocks)
    {
        if (blocks.IsEmpty)
        {
            return 0;
        }

        var level = blocks.ToArray();
        for (var width = level.Length; width > 1; width = (width + 1) / 2)
        {
            for (var i = 0; i < width / 2; i++)
            {
                level[i] = level[2 * i] + level[(2 * i) + 1];
            }

            if ((width & 1) == 1)
            {
                level[width / 2] = level[width - 1];
            }
        }

        return level[0];
    }

    /// <summary>The dot products of a gradient with every memory, reading the gradient once.</summary>
    /// <param name="gradient">g, over the flat vector.</param>
    /// <param name="memories">The memory gradients, of the same length.</param>
    /// <param name="segments">Flat ranges that count, disjoint and ascending.</param>
    /// <returns>m_j . g for every memory j.</returns>
    public static double[] Dots(ReadOnlySpan<float> gradient, IReadOnlyList<float[]> memories, IReadOnlyList<IndexRange> segments) =>
        Combine(BlockValues(gradient, memories, segments, 0), memories.Count);

    /// <summary>Adds the values of all blocks up.</summary>
    /// <param name="values">What <see cref="BlockValues"/> gives for all parts of the vector, one part after the other.</param>
    /// <param name="memories">Number of memories.</param>
    /// <returns>One dot product a memory.</returns>
    public static double[] Combine(ReadOnlySpan<double> values, int memories)
    {
        var dots = new double[memories];
        var column = new double[memories == 0 ? 0 : values.Length / memories];
        for (var j = 0; j < memories; j++)
        {
            for (var block = 0; block < column.Length; block++)
            {
                column[block] = values[(block * memories) + j];
            }

            dots[j] = Tree(column);
        }

        return dots;
    }

    /// <summary>The dot products of each block of a part of the vector.</summary>
    /// <param name="gradient">The part of g.</param>
    /// <param name="memories">The same part of each memory gradient.</param>
    /// <param name="segments">Flat ranges that count, disjoint and ascending.</param>
    /// <param name="flatStart">Flat index of the part's first element; that of a block.</param>
    /// <returns>Block by block, one value a memory.</returns>
    public static double[] BlockValues(ReadOnlySpan<float> gradient, IReadOnlyList<float[]> memories, IReadOnlyList<IndexRange> segments, int flatStart)
    {
        ArgumentNullException.ThrowIfNull(memories);
        ArgumentNullException.ThrowIfNull(segments);
        ArgumentOutOfRangeException.ThrowIfNotEqual(flatStart % RangeOwnership.BlockElements, 0);
        foreach (var memory in memories)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(memory.Length, gradient.Length);
        }

        var blocks = RangeOwnership.Blocks(gradient.Length);
        var values = new double[memories.Count * blocks];
        var lanes = new double[memories.Count * Lanes];
        var next = 0;
        for (var block = 0; block < blocks; block++)
        {
            Array.Clear(lanes);
            var (blockStart, wholeEnd) = Bounds(block + (flatStart / RangeOwnership.BlockElements));
            var blockEnd = Math.Min(wholeEnd, (long)flatStart + gradient.Length);
            while (next < segments.Count && segments[next].End <= blockStart)
            {
                next++;
            }

            for (var s = next; s < segments.Count && segments[s].Start < blockEnd; s++)
            {
                var end = (int)Math.Min(segments[s].End, blockEnd);
                for (var start = Math.Max(segments[s].Start, blockStart); start < end;)
                {
                    // Chunks end at multiples of their size, so that only a segment's ends are not whole groups of lanes.
                    var stop = (int)Math.Min(end, (((long)start / ChunkElements) + 1) * ChunkElements);
                    var chunk = gradient[(start - flatStart)..(stop - flatStart)];
                    for (var j = 0; j < memories.Count; j++)
                    {
                        Accumulate(chunk, memories[j].AsSpan(start - flatStart, stop - start), start, lanes.AsSpan(j * Lanes, Lanes));
                    }

                    start = stop;
                }
            }

            for (var j = 0; j < memories.Count; j++)
            {
                values[(block * memories.Count) + j] = Combine(lanes.AsSpan(j * Lanes, Lanes));
            }
        }

        return values;
    }

    /// <summary>The Gram matrix of the memories.</summary>
    /// <param name="memories">The memory gradients, of equal length.</param>
    /// <param name="segments">Flat ranges that count, disjoint and ascending.</param>
    /// <returns>The symmetric t x t matrix of dot products.</returns>
    public static double[,] Gram(IReadOnlyList<float[]> memories, IReadOnlyList<IndexRange> segments) =>
        Gram(memories, (vector, others) => Dots(vector, others, segments));

    /// <summary>The Gram matrix of the memories.</summary>
    /// <param name="memories">The memory gradients, of equal length.</param>
    /// <param name="dots">The dot products of a vector with others.</param>
    /// <returns>The symmetric t x t matrix of dot products.</returns>
    public static double[,] Gram(IReadOnlyList<float[]> memories, Func<float[], IReadOnlyList<float[]>, double[]> dots)
    {
        ArgumentNullException.ThrowIfNull(memories);
        ArgumentNullException.ThrowIfNull(dots);
        var gram = new double[memories.Count, memories.Count];
        for (var i = 0; i < memories.Count; i++)
        {
            var row = dots(memories[i], [.. memories.Skip(i)]);
            for (var j = 0; j < row.Length; j++)
            {
                gram[i, i + j] = row[j];
                gram[i + j, i] = row[j];
            }
        }

        return gram;
    }

    private static (int Start, long End) Bounds(int block) =>
        (block * RangeOwnership.BlockElements, ((long)block + 1) * RangeOwnership.BlockElements);

    // Lanes come from the flat index of the first element; blocks are multiples of the number of lanes.
    private static void Accumulate(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int flatIndex, Span<double> lanes)
    {
        var i = 0;
        for (; i < a.Length && ((flatIndex + i) & (Lanes - 1)) != 0; i++)
        {
            lanes[(flatIndex + i) & (Lanes - 1)] += (double)a[i] * b[i];
        }

        if (i <= a.Length - Lanes)
        {
            ref var startA = ref MemoryMarshal.GetReference(a);
            ref var startB = ref MemoryMarshal.GetReference(b);
            ref var startLanes = ref MemoryMarshal.GetReference(lanes);
            var lower = Vector256.LoadUnsafe(ref startLanes);
            var upper = Vector256.LoadUnsafe(ref startLanes, Lanes / 2);
            for (; i <= a.Length - Lanes; i += Lanes)
            {
                var (lowerA, upperA) = Vector256.Widen(Vector256.LoadUnsafe(ref startA, (nuint)i));
                var (lowerB, upperB) = Vector256.Widen(Vector256.LoadUnsafe(ref startB, (nuint)i));
                lower += lowerA * lowerB;
                upper += upperA * upperB;
            }

            lower.StoreUnsafe(ref startLanes);
            upper.StoreUnsafe(ref startLanes, Lanes / 2);
        }

        for (; i < a.Length; i++)
        {
            lanes[(flatIndex + i) & (Lanes - 1)] += (double)a[i] * b[i];
        }
    }

    private static double Combine(ReadOnlySpan<double> lanes) =>
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}
