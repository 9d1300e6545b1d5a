using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Selection;

/// <summary>The elements of a span that are ranked: all of it, or given ranges, numbered one after the other.</summary>
internal sealed class RankedElements
{
    private readonly int[] _starts;

    /// <summary>Lays out the ranges.</summary>
    /// <param name="ranges">Disjoint ascending ranges of the span; null for all of it.</param>
    /// <param name="length">Elements of the span.</param>
    public RankedElements(IReadOnlyList<IndexRange>? ranges, int length)
    {
        Ranges = ranges ?? [new IndexRange(0, length)];
        _starts = new int[Ranges.Count];
        var end = 0;
        for (var i = 0; i < Ranges.Count; i++)
        {
            var range = Ranges[i];
            if (range.Start < end || range.End < range.Start || range.End > length)
            {
                throw new ArgumentException($"range {i}, [{range.Start}, {range.End}), overlaps the one before or leaves the {length} elements", nameof(ranges));
            }

            end = range.End;
            _starts[i] = Count;
            Count += range.Count;
        }
    }

    /// <summary>The ranges, ascending.</summary>
    public IReadOnlyList<IndexRange> Ranges { get; }

    /// <summary>Number of ranked elements.</summary>
    public int Count { get; }

    /// <summary>Where a ranked element lies in the span.</summary>
    /// <param name="ordinal">Its number among the ranked ones.</param>
    /// <returns>Its index.</returns>
    public int IndexOf(int ordinal)
    {
        var found = Array.BinarySearch(_starts, ordinal);
        var range = found >= 0 ? found : ~found - 1;

        // Empty ranges share their start with the next one, which holds the element.
        while (Ranges[range].Count <= ordinal - _starts[range])
        {
            range++;
        }

        return Ranges[range].Start + ordinal - _starts[range];
    }
}
