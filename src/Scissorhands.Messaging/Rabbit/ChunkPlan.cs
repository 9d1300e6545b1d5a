using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>How ranges are cut into chunks and how far a sender may run ahead: the same on all ranks, from settings and counts alone.</summary>
internal readonly record struct ChunkPlan(int Elements, int Window)
{
    /// <summary>Chunks are multiples of this many elements.</summary>
    private const int Unit = 16_384;

    /// <summary>The cut for a group.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="ranks">Ranks of the group.</param>
    /// <param name="elementBytes">Bytes of an element.</param>
    /// <returns>Elements of a chunk, and chunks that each peer may be ahead.</returns>
    internal static ChunkPlan Of(CollectiveOptions options, int ranks, int elementBytes)
    {
        var peers = Math.Max(1, ranks - 1);

        // At least four chunks a peer within the window, so that one is added up while others are under way.
        var bytes = Math.Min(options.ChunkBytes, options.WindowBytes / (4 * peers));
        var elements = Math.Max(Unit, bytes / elementBytes / Unit * Unit);
        return new ChunkPlan(elements, (int)Math.Max(2, options.WindowBytes / ((long)elements * elementBytes * peers)));
    }

    /// <summary>Chunks of so many elements.</summary>
    internal int Count(int length) => (int)(((long)length + Elements - 1) / Elements);

    /// <summary>A chunk of a range.</summary>
    internal IndexRange Chunk(IndexRange range, int chunk)
    {
        var start = range.Start + (chunk * Elements);
        return new IndexRange(start, Math.Min(start + Elements, range.End));
    }
}
