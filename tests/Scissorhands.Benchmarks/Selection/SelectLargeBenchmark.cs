using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Core.Selection;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Stages;

namespace Scissorhands.Benchmarks.Selection;

/// <summary>
/// Exact selection over saliencies that several owners hold, as the workers do it: <c>select-large [elements] [owners]</c>, one
/// thousand million and 4 where not given. Takes 3 % and 50 %, each by bracket, by radix rounds and by radix rounds after a
/// bracket that missed; counts passes and the bytes that the owners exchange, and checks threshold and mask against the
/// saliencies made a second time, by comparing and counting. Targets: exact, at most 3 passes, at most 16 MiB.
/// </summary>
internal static class SelectLargeBenchmark
{
    private const int MaxPasses = 3;
    private const long MaxBytes = 16 << 20;
    private const int Chunk = 1 << 20;

    private static readonly (string Way, Func<SelectionOptions, SelectionOptions> With)[] Ways =
    [
        ("bracket", static options => options),
        ("radix", static options => options with { SampleSize = 0 }),
        ("bracket missed, then radix", static options => options with { SampleSize = 64, MarginDeviations = -100 }),
    ];

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000_000;
        var owners = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 4;
        var ranges = RangeOwnership.All(count, owners);
        var parts = new float[owners][];
        Parallel.For(0, owners, owner =>
        {
            parts[owner] = GC.AllocateUninitializedArray<float>(ranges[owner].Count);
            MadeUpSaliency.Fill(parts[owner], ranges[owner].Start);
        });

        var holds = true;
        foreach (var fraction in (decimal[])[0.03m, 0.5m])
        {
            float? known = null;
            foreach (var (way, with) in Ways)
            {
                var options = with(new SelectionOptions(fraction, TieRule.Index, 1));
                var start = Stopwatch.GetTimestamp();
                var (results, bytes) = Select(parts, ranges, options);
                var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

                // The first is checked against the data, the others against the first.
                var wrong = known is { } threshold ? (results[0].Threshold == threshold ? 0 : count) : Wrong(parts, ranges, results, fraction, count);
                known = results[0].Threshold;
                var passes = results.Max(static r => r.Passes);
                holds &= wrong == 0 && passes <= MaxPasses && bytes <= MaxBytes;
                Console.WriteLine(JsonSerializer.Serialize(new
                {
                    benchmark = "select-large",
                    elements = count,
                    owners,
                    fraction,
                    way,
                    threshold = results[0].Threshold,
                    above = results[0].Above,
                    ties = results[0].TieQuota,
                    selected = results[0].Selected,
                    wrong,
                    passes,
                    rounds = results[0].Rounds,
                    mebibytesSent = bytes / (double)(1 << 20),
                    seconds,
                }));
            }
        }

        return holds ? 0 : 1;
    }

    private static (SelectionResult[] Results, long Bytes) Select(float[][] parts, IReadOnlyList<IndexRange> ranges, SelectionOptions options)
    {
        var groups = InProcessGroup.Create("benchmark", 1, parts.Length);
        var exchanges = groups.Select(static group => new CountedExchange(new CountExchange(group, CancellationToken.None))).ToArray();
        var results = new SelectionResult[parts.Length];
        var threads = groups.Select(group => new Thread(() =>
            results[group.Rank] = new ExactSelection(exchanges[group.Rank]).Select(parts[group.Rank], ranges[group.Rank].Start, null, options, static _ => ""))).ToArray();
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }

        return (results, exchanges.Sum(static exchange => exchange.Bytes));
    }

    /// <summary>
    /// Elements that are selected and should not be, or the reverse. Which should be follows from counts over the saliencies
    /// made again: all above the threshold, and the first of its equals up to the number to select.
    /// </summary>
    private static long Wrong(float[][] parts, IReadOnlyList<IndexRange> ranges, SelectionResult[] results, decimal fraction, int count)
    {
        var threshold = results[0].Threshold;
        var above = new long[parts.Length];
        var equal = new long[parts.Length];
        Each(ranges, (owner, _, values) =>
        {
            foreach (var value in values)
            {
                above[owner] += value > threshold ? 1 : 0;
                equal[owner] += value == threshold ? 1 : 0;
            }
        });
        var toSelect = count - (long)decimal.Floor((1 - fraction) * count);
        var quota = toSelect - above.Sum();
        if (quota < 0 || quota > equal.Sum() || equal.Sum() == 0)
        {
            // Not the threshold at all.
            return count;
        }

        var wrong = new long[parts.Length];
        var left = new long[parts.Length];
        for (var owner = 0; owner < parts.Length; owner++)
        {
            left[owner] = Math.Clamp(quota - equal.Take(owner).Sum(), 0, equal[owner]);
        }

        var masks = new byte[parts.Length][];
        Parallel.For(0, parts.Length, owner =>
        {
            masks[owner] = new byte[parts[owner].Length];
            ExactSelection.WriteMask(parts[owner], null, results[owner], masks[owner]);
        });
        Each(ranges, (owner, at, values) =>
        {
            for (var i = 0; i < values.Length; i++)
            {
                var selected = values[i] > threshold || (values[i] == threshold && left[owner]-- > 0);
                wrong[owner] += masks[owner][at + i] == (selected ? 1 : 0) ? 0 : 1;
            }
        });
        return wrong.Sum();
    }

    // Made anew chunk by chunk: what the owners hold is not trusted.
    private static void Each(IReadOnlyList<IndexRange> ranges, Action<int, int, float[]> take) => Parallel.For(0, ranges.Count, owner =>
    {
        for (var at = 0; at < ranges[owner].Count; at += Chunk)
        {
            var values = new float[Math.Min(Chunk, ranges[owner].Count - at)];
            MadeUpSaliency.Fill(values, (long)ranges[owner].Start + at);
            take(owner, at, values);
        }
    });

    private sealed class CountedExchange(ICountExchange exchange) : ICountExchange
    {
        public long Bytes { get; private set; }

        public int Rank => exchange.Rank;

        public int Size => exchange.Size;

        public void Sum(Span<long> counts)
        {
            Bytes += counts.Length * sizeof(long);
            exchange.Sum(counts);
        }
    }
}
