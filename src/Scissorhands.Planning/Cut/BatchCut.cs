namespace Scissorhands.Planning.Cut;

/// <summary>Cuts sequences into batches and batches into slices. A pure function of the configuration; no worker count enters.</summary>
public static class BatchCut
{
    /// <summary>
    /// Cuts <paramref name="count"/> samples into consecutive batches of <paramref name="batchSize"/>. A last batch with
    /// fewer than <paramref name="minimumLast"/> samples is merged into the one before.
    /// </summary>
    /// <param name="count">Samples.</param>
    /// <param name="batchSize">Samples of a batch, at least 1.</param>
    /// <param name="minimumLast">Fewest samples a last batch may have on its own; one of the full size always may.</param>
    /// <returns>The batches, in order; empty where there are no samples.</returns>
    public static IReadOnlyList<IndexRange> Batches(int count, int batchSize, int minimumLast)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        var least = Math.Min(minimumLast, batchSize);
        var batches = new List<IndexRange>((count / batchSize) + 1);
        for (var start = 0; start < count; start += batchSize)
        {
            var end = (int)Math.Min(count, (long)start + batchSize);
            if (end - start < least && batches.Count > 0)
            {
                batches[^1] = batches[^1] with { End = end };
            }
            else
            {
                batches.Add(new IndexRange(start, end));
            }
        }

        return batches;
    }

    /// <summary>
    /// Cuts a batch of n samples into <paramref name="slices"/> slices, slice i being [i*n/S, (i+1)*n/S). A batch with
    /// fewer than 2*S samples is one slice (the first), the others are empty, so that no normalisation layer sees a
    /// single sample that a larger slice could have held.
    /// </summary>
    /// <param name="batch">The batch.</param>
    /// <param name="slices">S, a power of two.</param>
    /// <returns>S ranges; empty ones have a count of 0.</returns>
    public static IReadOnlyList<IndexRange> Slices(IndexRange batch, int slices)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slices);
        var n = batch.Count;
        var cut = new IndexRange[slices];
        if (n < 2 * slices)
        {
            Array.Fill(cut, new IndexRange(batch.End, batch.End));
            cut[0] = batch;
            return cut;
        }

        for (var i = 0; i < slices; i++)
        {
            cut[i] = new IndexRange(batch.Start + (int)((long)i * n / slices), batch.Start + (int)((long)(i + 1) * n / slices));
        }

        return cut;
    }
}
