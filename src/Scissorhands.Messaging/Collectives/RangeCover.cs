using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>Checks that ranges, in whichever order, are the whole of a buffer.</summary>
internal static class RangeCover
{
    /// <summary>What is wrong with ranges that ranks are to fill a buffer with.</summary>
    /// <param name="ranges">One a rank, some of them empty.</param>
    /// <param name="length">Bytes of the buffer.</param>
    /// <returns>The problem, or null where each byte is covered once.</returns>
    internal static string? Problem(IReadOnlyList<IndexRange> ranges, int length)
    {
        var next = 0;
        foreach (var range in ranges.Where(static r => r.Count != 0).OrderBy(static r => r.Start))
        {
            if (range.Start != next || range.Count < 0)
            {
                return $"the ranges do not cover the buffer once: byte {Math.Min(next, range.Start)}";
            }

            next = range.End;
        }

        return next == length ? null : $"the ranges end at byte {next} of {length}";
    }
}
