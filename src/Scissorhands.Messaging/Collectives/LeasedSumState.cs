using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>The partial sums of one owner's range, as a checkpoint holds them.</summary>
/// <param name="Range">The owner's range of the whole vector.</param>
/// <param name="Partials">Subtree sums, each of the range's length.</param>
public sealed record LeasedSumState(IndexRange Range, IReadOnlyList<SubtreeSum> Partials)
{
    /// <summary>Deals the partial sums of one number of owners to another.</summary>
    /// <param name="length">Elements of the whole vector.</param>
    /// <param name="states">The ranges in order; they cover the vector, and all hold the same nodes.</param>
    /// <param name="ranks">Number of owners from now on.</param>
    /// <returns>One state for each rank, in the ranges of <see cref="RangeOwnership"/>; memory of the caller.</returns>
    /// <exception cref="ArgumentException">The ranges do not cover the vector in order, a length differs, or the nodes differ.</exception>
    public static IReadOnlyList<LeasedSumState> Reshard(int length, IReadOnlyList<LeasedSumState> states, int ranks)
    {
        ArgumentNullException.ThrowIfNull(states);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(ranks);
        var sources = Check(length, states);
        var nodes = states[0].Partials.Select(static p => p.Node).ToArray();
        var dealt = new LeasedSumState[ranks];
        for (var rank = 0; rank < ranks; rank++)
        {
            var owned = RangeOwnership.Owned(length, rank, ranks);
            var partials = new SubtreeSum[nodes.Length];
            for (var n = 0; n < nodes.Length; n++)
            {
                var values = GC.AllocateUninitializedArray<float>(owned.Count);
                for (var s = 0; s < states.Count; s++)
                {
                    var from = Math.Max(owned.Start, states[s].Range.Start);
                    var end = Math.Min(owned.End, states[s].Range.End);
                    if (from < end)
                    {
                        sources[s][nodes[n]].Span[(from - states[s].Range.Start)..(end - states[s].Range.Start)]
                            .CopyTo(values.AsSpan(from - owned.Start));
                    }
                }

                partials[n] = new SubtreeSum(nodes[n], values);
            }

            dealt[rank] = new LeasedSumState(owned, partials);
        }

        return dealt;
    }

    private static Dictionary<TreeNode, ReadOnlyMemory<float>>[] Check(int length, IReadOnlyList<LeasedSumState> states)
    {
        if (states.Count == 0)
        {
            throw new ArgumentException("No ranges are given.", nameof(states));
        }

        var next = 0;
        var sources = new Dictionary<TreeNode, ReadOnlyMemory<float>>[states.Count];
        for (var s = 0; s < states.Count; s++)
        {
            var (range, partials) = states[s];
            if (range.Start != next || range.End < range.Start)
            {
                throw new ArgumentException($"Range {s} starts at element {range.Start}, not at {next}.", nameof(states));
            }

            next = range.End;
            sources[s] = [];
            foreach (var partial in partials)
            {
                if (partial.Values.Length != range.Count)
                {
                    throw new ArgumentException(
                        $"Node {partial.Node} of range {s} has {partial.Values.Length} elements, not {range.Count}.",
                        nameof(states));
                }

                if (!sources[s].TryAdd(partial.Node, partial.Values))
                {
                    throw new ArgumentException($"Range {s} holds node {partial.Node} twice.", nameof(states));
                }
            }

            if (sources[s].Count != sources[0].Count || !sources[s].Keys.All(sources[0].ContainsKey))
            {
                throw new ArgumentException($"Ranges 0 and {s} hold different nodes.", nameof(states));
            }
        }

        return next == length
            ? sources
            : throw new ArgumentException($"The ranges end at element {next}, not at {length}.", nameof(states));
    }
}
