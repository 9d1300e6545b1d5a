using Scissorhands.Messaging.Frames;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>All-gather of float32 vectors where they lie.</summary>
public static class FloatGather
{
    /// <summary>Every rank gives its part of a vector and receives all of it.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="key">The operation.</param>
    /// <param name="ranges">Which elements each rank gives; by rank, together the whole of <paramref name="vector"/>.</param>
    /// <param name="vector">Holds this rank's part at its place; the others' parts are filled in.</param>
    /// <returns>The running operation.</returns>
    public static ICollectiveOperation AllGather(this ICollectiveGroup group, OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<float> vector)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(ranges);
        return group.AllGather(
            key,
            [.. ranges.Select(static r => new IndexRange(checked(r.Start * sizeof(float)), checked(r.End * sizeof(float))))],
            ByteView.Of(vector));
    }
}
