using System.Globalization;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Core.Selection;

/// <summary>
/// Finds the threshold of the largest saliencies of a vector whose ranges lie on several workers, by adding up counts:
/// no saliency but those of a small sample ever leaves its worker. A sample brackets the threshold, one pass over memory
/// counts what lies below and collects what lies inside, and the counts prove whether the bracket held. Where it did not,
/// radix rounds on 16 bits of the floats find the threshold in two more passes. Which way was taken, the seed of the
/// sample and the number of workers change nothing in the result.
/// </summary>
public sealed class ExactSelection
{
    private const int FixedCounts = 4;

    // Candidates beyond this share of the elements cost more memory than the radix rounds cost time.
    private const int CandidateShare = 8;
    private const int FewestCandidates = 1 << 20;

    private readonly ICountExchange _exchange;
    private int _rounds;
    private int _passes;

    /// <summary>Creates the selection.</summary>
    /// <param name="exchange">Adds counts up over the workers.</param>
    public ExactSelection(ICountExchange exchange)
    {
        ArgumentNullException.ThrowIfNull(exchange);
        _exchange = exchange;
    }

    /// <summary>Finds the threshold. Every rank calls it with its own range and the same options.</summary>
    /// <param name="saliency">This rank's range of the vector; non-negative and finite.</param>
    /// <param name="flatStart">Flat index of the range's first element.</param>
    /// <param name="ranked">
    /// Which elements of the range are ranked, as disjoint ascending ranges of its own indices (<c>thresholdOver: scope</c>);
    /// null for all. n counts the ranked ones.
    /// </param>
    /// <param name="options">What is selected.</param>
    /// <param name="parameterOf">The name of the parameter a flat index belongs to, for messages.</param>
    /// <returns>The threshold and this rank's share of its equals.</returns>
    /// <exception cref="RunFailedException">
    /// A saliency is NaN, infinite or negative (minus zero included), all are equal, or most are zero and too few are not. All ranks throw alike.
    /// </exception>
    public SelectionResult Select(
        ReadOnlySpan<float> saliency, int flatStart, IReadOnlyList<IndexRange>? ranked, SelectionOptions options, Func<int, string> parameterOf)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(parameterOf);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Fraction);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(options.Fraction, 1m);
        ArgumentOutOfRangeException.ThrowIfNegative(options.SampleSize);
        (_rounds, _passes) = (0, 0);
        var elements = new RankedElements(ranked, saliency.Length);
        var (start, total) = Place(elements.Count);
        if (total is 0 or > int.MaxValue)
        {
            throw new ArgumentException($"{total} elements to rank: between 1 and {int.MaxValue} are supported", nameof(ranked));
        }

        var n = (int)total;
        var k = (int)decimal.Floor((1 - options.Fraction) * n);
        var keys = SaliencyScan.Keys(saliency);
        var search = new Search(flatStart, parameterOf, Math.Max(1, k));
        var held = TryBracket(keys, elements, (int)start, n, options, search, out var found);
        if (!held)
        {
            found = Radix(keys, elements, search);
        }

        var above = n - found.Less - found.Equal;
        RequireDistinct(found, n, k, above);
        var quota = options.Ties == TieRule.Index || k == 0 ? n - k - above : 0;
        var (equalBefore, _) = Place(found.LocalEqual);
        var localQuota = Math.Clamp(quota - equalBefore, 0, found.LocalEqual);
        return new SelectionResult(BitConverter.UInt32BitsToSingle(found.Key), n, above, quota, localQuota, _rounds, held, _passes);
    }

    /// <summary>Writes which elements of this rank's range are selected.</summary>
    /// <param name="saliency">The range, as given to <see cref="Select"/>.</param>
    /// <param name="ranked">Which elements were ranked, as given to <see cref="Select"/>.</param>
    /// <param name="selection">What <see cref="Select"/> returned on this rank.</param>
    /// <param name="mask">As long as the range; receives 1 for selected elements, 0 for all others.</param>
    public static void WriteMask(ReadOnlySpan<float> saliency, IReadOnlyList<IndexRange>? ranked, SelectionResult selection, Span<byte> mask)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(mask.Length, saliency.Length);
        var quota = selection.LocalTieQuota;
        if (ranked is null)
        {
            SaliencyScan.WriteMask(saliency, selection.Threshold, ref quota, mask);
            return;
        }

        mask.Clear();
        foreach (var range in new RankedElements(ranked, saliency.Length).Ranges)
        {
            SaliencyScan.WriteMask(saliency[range.Start..range.End], selection.Threshold, ref quota, mask[range.Start..range.End]);
        }
    }

    private static void RequireDistinct(Found found, int n, int k, long above)
    {
        if (n > 1 && found.Equal == n)
        {
            var value = BitConverter.UInt32BitsToSingle(found.Key).ToString("R", CultureInfo.InvariantCulture);
            throw new RunFailedException(
                $"selection: all {n} saliencies equal {value}, so nothing tells which weights matter to the forget set; check that its loss depends on the weights");
        }

        if (found.Key == 0 && 2 * found.Equal > n && above < n - k)
        {
            throw new RunFailedException(
                $"selection: {found.Equal} of {n} saliencies are zero and only {above} are not, fewer than the {n - k} to select; choose a smaller trim.fraction or check that the model still reacts to the forget set");
        }
    }

    private bool TryBracket(
        ReadOnlySpan<uint> keys, RankedElements elements, int start, int n, SelectionOptions options, Search search, out Found found)
    {
        found = default;
        if (options.SampleSize == 0)
        {
            return false;
        }

        var (low, end) = n <= options.SampleSize
            ? (0u, SaliencyScan.FirstInvalid)
            : SampleBracket(keys, elements, start, n, search.Target, options);
        uint largest = 0;
        long below = 0;
        long inside;
        var candidates = new CandidateSink(Math.Max(FewestCandidates, elements.Count / CandidateShare));
        if (end - low == 1)
        {
            // A single key needs no candidates: heavy ties at the threshold end here.
            var sink = default(CountSink);
            below = Bracket(keys, elements, low, end, ref sink, ref largest);
            inside = sink.Count;
        }
        else
        {
            below = Bracket(keys, elements, low, end, ref candidates, ref largest);
            inside = candidates.Count;
        }

        Span<long> counts = stackalloc long[FixedCounts];
        counts[0] = below;
        counts[1] = inside;
        counts[2] = candidates.Overflowed ? 1 : 0;
        counts[3] = largest >= SaliencyScan.FirstInvalid ? 1 : 0;
        Sum(counts);
        if (counts[3] > 0)
        {
            throw Invalid(keys, elements, search);
        }

        if (counts[2] > 0 || search.Target <= counts[0] || search.Target > counts[0] + counts[1])
        {
            return false;
        }

        found = end - low == 1
            ? new Found(low, counts[0], counts[1], inside)
            : WithinCandidates(candidates.Keys, low, end, counts[0], search.Target);
        return true;
    }

    private (uint Low, uint End) SampleBracket(
        ReadOnlySpan<uint> keys, RankedElements elements, int start, int n, int target, SelectionOptions options)
    {
        // Each sampled element lies on one rank, which alone fills its slot: the sum hands every rank the whole sample.
        var size = options.SampleSize;
        var stream = RandomStream.Create(options.Seed, RandomPurpose.SelectionSample);
        var slots = new int[size];
        var positions = new int[size];
        var count = 0;
        for (var i = 0; i < size; i++)
        {
            var ordinal = stream.Below((ulong)i, n) - start;
            if (ordinal >= 0 && ordinal < elements.Count)
            {
                slots[count] = i;
                positions[count++] = elements.IndexOf(ordinal);
            }
        }

        // Apart from the drawing, so that the reads, each a cache miss, overlap.
        var sample = new long[size];
        for (var i = 0; i < count; i++)
        {
            sample[slots[i]] = keys[positions[i]];
        }

        Sum(sample);
        var quantile = (target - 0.5) / n;
        var margin = (options.MarginDeviations * Math.Sqrt(size * quantile * (1 - quantile))) + 1;
        var first = Math.Floor((quantile * size) - margin);
        var last = Math.Ceiling((quantile * size) + margin);
        var low = first < 0 ? 0 : Math.Min(OrderStatistic(sample, (int)Math.Min(first, size - 1)), SaliencyScan.FirstInvalid - 1);
        var end = last >= size ? SaliencyScan.FirstInvalid : Math.Min(OrderStatistic(sample, (int)Math.Max(last, 0)), SaliencyScan.FirstInvalid - 1) + 1;
        return (low, Math.Max(end, low + 1));
    }

    // The key that sorting would bring to a position.
    private static uint OrderStatistic(long[] sample, int position)
    {
        var bins = new long[SaliencyScan.Bins];
        foreach (var key in sample)
        {
            bins[key >> 16]++;
        }

        var (upper, less) = Locate(bins, 0, position + 1);
        var within = Array.FindAll(sample, key => key >> 16 == upper);
        Array.Sort(within);
        return (uint)within[position - less];
    }

    private Found WithinCandidates(ReadOnlySpan<uint> candidates, uint low, uint end, long below, int target)
    {
        var bins = new long[SaliencyScan.Bins];
        if (end - low <= SaliencyScan.Bins)
        {
            foreach (var key in candidates)
            {
                bins[key - low]++;
            }

            return Finish(bins, low, below, target);
        }

        foreach (var key in candidates)
        {
            bins[(key - low) >> 16]++;
        }

        Sum(bins);
        var (upper, less) = Locate(bins, below, target);
        Array.Clear(bins);
        foreach (var key in candidates)
        {
            if ((key - low) >> 16 == upper)
            {
                bins[(key - low) & 0xFFFF]++;
            }
        }

        return Finish(bins, low + ((uint)upper << 16), less, target);
    }

    private Found Radix(ReadOnlySpan<uint> keys, RankedElements elements, Search search)
    {
        _passes++;
        var bins = new long[SaliencyScan.Bins];
        foreach (var range in elements.Ranges)
        {
            SaliencyScan.UpperHistogram(keys[range.Start..range.End], bins);
        }

        Sum(bins);
        if (bins.AsSpan((int)(SaliencyScan.FirstInvalid >> 16)).ContainsAnyExcept(0L))
        {
            throw Invalid(keys, elements, search);
        }

        var (upper, less) = Locate(bins, 0, search.Target);
        Array.Clear(bins);
        var low = (uint)upper << 16;
        var sink = new HistogramSink(bins, low);
        uint largest = 0;
        Bracket(keys, elements, low, low + SaliencyScan.Bins, ref sink, ref largest);
        return Finish(bins, low, less, search.Target);
    }

    // The bins hold this rank's count of single keys from low on.
    private Found Finish(long[] bins, uint low, long less, int target)
    {
        var local = _exchange.Size == 1 ? bins : (long[])bins.Clone();
        Sum(bins);
        var (bin, below) = Locate(bins, less, target);
        return new Found(low + (uint)bin, below, bins[bin], local[bin]);
    }

    private static (int Bin, long Less) Locate(ReadOnlySpan<long> bins, long less, int target)
    {
        for (var bin = 0; bin < bins.Length; bin++)
        {
            if (less + bins[bin] >= target)
            {
                return (bin, less);
            }

            less += bins[bin];
        }

        throw new InvalidOperationException("The counts of the ranks contradict each other: the exchange lost or repeated an addend");
    }

    private long Bracket<TSink>(ReadOnlySpan<uint> keys, RankedElements elements, uint low, uint end, ref TSink sink, ref uint largest)
        where TSink : struct, SaliencyScan.ISink
    {
        _passes++;
        long below = 0;
        foreach (var range in elements.Ranges)
        {
            below += SaliencyScan.Bracket(keys[range.Start..range.End], low, end, ref sink, ref largest);
        }

        return below;
    }

    // Every rank learns of the first invalid element, so that all end with the same message and none waits for another.
    private RunFailedException Invalid(ReadOnlySpan<uint> keys, RankedElements elements, Search search)
    {
        var found = new long[2 * _exchange.Size];
        foreach (var range in elements.Ranges)
        {
            var position = keys[range.Start..range.End].IndexOfAnyInRange(SaliencyScan.FirstInvalid, uint.MaxValue);
            if (position >= 0)
            {
                found[2 * _exchange.Rank] = (long)search.FlatStart + range.Start + position + 1;
                found[(2 * _exchange.Rank) + 1] = keys[range.Start + position];
                break;
            }
        }

        Sum(found);
        var first = Enumerable.Range(0, _exchange.Size).First(rank => found[2 * rank] > 0);
        var index = (int)(found[2 * first] - 1);
        var value = BitConverter.UInt32BitsToSingle((uint)found[(2 * first) + 1]);
        var kind = float.IsNaN(value) ? "not a number" : float.IsInfinity(value) ? "infinite" : "negative";
        return new RunFailedException($"selection: the saliency of '{search.ParameterOf(index)}' is {kind} (flat index {index})");
    }

    private (long Before, long Total) Place(long local)
    {
        var slots = new long[_exchange.Size];
        slots[_exchange.Rank] = local;
        Sum(slots);
        long before = 0, total = 0;
        for (var rank = 0; rank < slots.Length; rank++)
        {
            before += rank < _exchange.Rank ? slots[rank] : 0;
            total += slots[rank];
        }

        return (before, total);
    }

    private void Sum(Span<long> counts)
    {
        _rounds++;
        _exchange.Sum(counts);
    }

    private sealed record Search(int FlatStart, Func<int, string> ParameterOf, int Target);

    private readonly record struct Found(uint Key, long Less, long Equal, long LocalEqual);

    private struct CountSink : SaliencyScan.ISink
    {
        public long Count { get; private set; }

        public void Add(ReadOnlySpan<uint> keys) => Count += keys.Length;
    }

    private readonly struct HistogramSink(long[] bins, uint low) : SaliencyScan.ISink
    {
        public void Add(ReadOnlySpan<uint> keys)
        {
            foreach (var key in keys)
            {
                bins[key - low]++;
            }
        }
    }

    private struct CandidateSink(int limit) : SaliencyScan.ISink
    {
        private uint[] _keys = new uint[Math.Min(limit, 65_536)];

        public int Count { get; private set; }

        public bool Overflowed { get; private set; }

        public readonly ReadOnlySpan<uint> Keys => _keys.AsSpan(0, Count);

        public void Add(ReadOnlySpan<uint> keys)
        {
            if (keys.Length > limit - Count)
            {
                Overflowed = true;
                return;
            }

            if (keys.Length > _keys.Length - Count)
            {
                var grown = GC.AllocateUninitializedArray<uint>((int)Math.Min(limit, Math.Max(4L * _keys.Length, Count + keys.Length)));
                Keys.CopyTo(grown);
                _keys = grown;
            }

            keys.CopyTo(_keys.AsSpan(Count));
            Count += keys.Length;
        }
    }
}
