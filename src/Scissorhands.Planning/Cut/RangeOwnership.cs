namespace Scissorhands.Planning.Cut;

/// <summary>
/// Who finishes the sum of which part of a flat vector. Ranges are aligned to blocks of 65,536 elements, the unit of dot
/// products and norms, so that no block is split between owners.
/// </summary>
public static class RangeOwnership
{
    /// <summary>Elements of a block.</summary>
    public const int BlockElements = 65_536;

    /// <summary>Number of blocks of a vector.</summary>
    /// <param name="length">Elements of the vector.</param>
    /// <returns>ceil(length / 65,536).</returns>
    public static int Blocks(int length) => (int)(((long)length + BlockElements - 1) / BlockElements);

    /// <summary>The elements one of <paramref name="ranks"/> workers owns.</summary>
    /// <param name="length">Elements of the vector.</param>
    /// <param name="rank">The worker's rank.</param>
    /// <param name="ranks">Workers.</param>
    /// <returns>Range of flat indices, possibly empty; the ranges of all ranks cover the vector.</returns>
    public static IndexRange Owned(int length, int rank, int ranks)
    {
        var blocks = Blocks(length);
        var first = (long)rank * blocks / ranks * BlockElements;
        var end = (long)(rank + 1) * blocks / ranks * BlockElements;
        return new IndexRange((int)Math.Min(first, length), (int)Math.Min(end, length));
    }

    /// <summary>The ranges of all workers.</summary>
    /// <param name="length">Elements of the vector.</param>
    /// <param name="ranks">Workers.</param>
    /// <returns>One range a rank, by rank.</returns>
    public static IReadOnlyList<IndexRange> All(int length, int ranks) => [.. Enumerable.Range(0, ranks).Select(rank => Owned(length, rank, ranks))];
}
