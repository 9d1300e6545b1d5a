using System.Text.Json;
using CsCheck;
using Scissorhands.Core.Selection;
using Scissorhands.Core.Tests.Models;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Tests.Selection;

public sealed class ExactSelectionTests
{
    private static readonly Gen<float> Saliency = Gen.Frequency(
        (6, Gen.Float[0, 1]),
        (2, Gen.Int[0, 3].Select(i => i / 4f)),
        (1, Gen.Const(0f)),
        (1, Gen.UInt[1, 40].Select(BitConverter.UInt32BitsToSingle)),
        (1, Gen.Const(float.MaxValue)));

    private static readonly Gen<float[]> Saliencies = Gen.OneOf(
        Saliency.Array[1, 5],
        Saliency.Array[1, 400],
        Gen.Int[0, 2].Select(i => (float)i).Array[1, 400],
        Gen.Float[1, 1.00001f].Array[1, 400]);

    private static readonly Gen<decimal> Fraction = Gen.Int[1, 999].Select(i => i / 1000m);

    // Sample sizes and margins so small that brackets fail as often as they hold.
    private static readonly Gen<(int Sample, double Margin)> Tuning = Gen.Select(
        Gen.OneOfConst(0, 1, 4, 16, SelectionOptions.DefaultSampleSize), Gen.OneOfConst(0.0, 1.0, 5.0));

    [Fact]
    public void Select_any_saliencies_ranks_and_path_equals_sorting()
    {
        Gen.Select(Saliencies, Fraction, Gen.OneOfConst(TieRule.Index, TieRule.Strict), Tuning, Gen.Int[1, 4], Gen.Long).Sample(
            (saliency, fraction, ties, tuning, ranks, seed) =>
            {
                var options = new SelectionOptions(fraction, ties, seed) { SampleSize = tuning.Sample, MarginDeviations = tuning.Margin };
                var expected = BySorting(saliency, null, options);
                var actual = Select(saliency, null, options, ranks);
                Assert.Equal(expected is null, actual is null);
                if (expected is not null)
                {
                    Assert.Equal(expected, actual);
                }
            },
            iter: 3000);
    }

    [Fact]
    public void Select_within_ranges_ranks_only_those()
    {
        var gen =
            from saliency in Saliencies
            from cuts in Gen.Int[0, saliency.Length].Array[2, 8]
            from fraction in Fraction
            from tuning in Tuning
            from ranks in Gen.Int[1, 3]
            select (saliency, cuts, fraction, tuning, ranks);
        gen.Where(c => c.cuts.Distinct().Count() > 1).Sample(
            c =>
            {
                Array.Sort(c.cuts);
                var ranges = Enumerable.Range(0, c.cuts.Length / 2).Select(i => new IndexRange(c.cuts[2 * i], c.cuts[(2 * i) + 1])).ToArray();
                if (ranges.Sum(r => r.Count) == 0)
                {
                    return;
                }

                var options = new SelectionOptions(c.fraction, TieRule.Index, 3) { SampleSize = c.tuning.Sample, MarginDeviations = c.tuning.Margin };
                Assert.Equal(BySorting(c.saliency, ranges, options), Select(c.saliency, ranges, options, c.ranks));
            },
            iter: 1000);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 3)]
    [InlineData(4096, 1)]
    [InlineData(4096, 3)]
    public void Select_many_saliencies_by_sample_or_radix_gives_one_mask(int sampleSize, int ranks)
    {
        var saliency = HeavyTailed(300_000, zeroEvery: 3);
        var options = new SelectionOptions(0.03m, TieRule.Index, 5) { SampleSize = sampleSize };
        Assert.Equal(BySorting(saliency, null, options), Select(saliency, null, options, ranks));
    }

    [Fact]
    public void Select_heavy_tailed_saliencies_bracket_holds()
    {
        var saliency = HeavyTailed(300_000, zeroEvery: 0);
        var result = new ExactSelection(new SingleRankExchange()).Select(saliency, 0, null, new SelectionOptions(0.03m, TieRule.Index, 5) { SampleSize = 8192 }, _ => "");
        Assert.True(result.BracketHeld);
        Assert.Equal(9000, result.Selected);
    }

    [Fact]
    public void Select_most_saliencies_tied_at_the_threshold_needs_no_radix_rounds()
    {
        var saliency = Enumerable.Range(0, 3_000_000).Select(i => i % 10 == 0 ? 2f + i : 1f).ToArray();
        var result = new ExactSelection(new SingleRankExchange()).Select(saliency, 0, null, new SelectionOptions(0.5m, TieRule.Index, 5), _ => "");
        Assert.True(result.BracketHeld);
        Assert.Equal(1f, result.Threshold);
        Assert.Equal((300_000, 1_200_000), (result.Above, result.TieQuota));
    }

    [Theory]
    [InlineData(float.NaN, "not a number")]
    [InlineData(float.PositiveInfinity, "infinite")]
    [InlineData(-1f, "negative")]
    public void Select_invalid_saliency_names_the_parameter_on_every_rank(float invalid, string kind)
    {
        foreach (var sampleSize in new[] { 0, 50, SelectionOptions.DefaultSampleSize })
        {
            var saliency = HeavyTailed(1000, zeroEvery: 0);
            saliency[700] = invalid;
            saliency[900] = invalid;
            var thrown = Assert.Throws<RunFailedException>(() => ThreadedExchange.Run(3, exchange =>
            {
                var owned = Owned(saliency.Length, exchange.Rank, 3);
                return new ExactSelection(exchange).Select(
                    saliency.AsSpan(owned.Start, owned.Count), owned.Start, null, new SelectionOptions(0.1m, TieRule.Index, 1) { SampleSize = sampleSize }, i => $"layer{i / 100}.weight");
            }));
            Assert.Equal($"selection: the saliency of 'layer7.weight' is {kind} (flat index 700)", thrown.Message);
        }
    }

    [Fact]
    public void Select_all_equal_fails_with_the_reason()
    {
        var thrown = Assert.Throws<RunFailedException>(() => new ExactSelection(new SingleRankExchange()).Select(
            Enumerable.Repeat(0.25f, 100).ToArray(), 0, null, new SelectionOptions(0.1m, TieRule.Index, 1), _ => ""));
        Assert.Contains("all 100 saliencies equal 0.25", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Select_fewer_positive_than_wanted_among_zeros_fails_with_the_counts()
    {
        var saliency = new float[100];
        saliency[3] = 1;
        saliency[4] = 2;
        var thrown = Assert.Throws<RunFailedException>(() => new ExactSelection(new SingleRankExchange()).Select(
            saliency, 0, null, new SelectionOptions(0.1m, TieRule.Index, 1), _ => ""));
        Assert.Contains("98 of 100 saliencies are zero and only 2 are not, fewer than the 10", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Select_golden_saliencies_gives_the_published_thresholds_and_counts()
    {
        var path = TestFolders.Shared("golden", "saliency.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllBytes(TestFolders.Shared("golden", "thresholds.json")));
        foreach (var expected in document.RootElement.EnumerateArray())
        {
            var counts = expected.GetProperty("above");
            var names = counts.EnumerateObject().Select(p => p.Name).ToArray();
            var parts = names.Select(name => GoldenTensors.Singles(path, name)).ToArray();
            var saliency = parts.SelectMany(p => p).ToArray();
            var fraction = 1 - expected.GetProperty("sparsity").GetDecimal();
            foreach (var ranks in new[] { 1, 3 })
            {
                var options = new SelectionOptions(fraction, TieRule.Strict, 1) { SampleSize = 500 };
                var mask = Select(saliency, null, options, ranks)!;
                var start = 0;
                for (var i = 0; i < names.Length; i++)
                {
                    Assert.Equal(counts.GetProperty(names[i]).GetInt32(), mask.AsSpan(start, parts[i].Length).Count((byte)1));
                    start += parts[i].Length;
                }
            }

            var result = new ExactSelection(new SingleRankExchange()).Select(saliency, 0, null, new SelectionOptions(fraction, TieRule.Strict, 1), _ => "");
            Assert.Equal((float)expected.GetProperty("threshold").GetDouble(), result.Threshold);
        }
    }

    private static IndexRange Owned(int length, int rank, int ranks) =>
        new((int)((long)length * rank / ranks), (int)((long)length * (rank + 1) / ranks));

    private static float[] HeavyTailed(int length, int zeroEvery)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, length).Select(i => zeroEvery > 0 && i % zeroEvery == 0 ? 0f : (float)Math.Exp(4 * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5)))];
    }

    /// <summary>The mask, or null where the selection is degenerate.</summary>
    private static byte[]? Select(float[] saliency, IndexRange[]? ranges, SelectionOptions options, int ranks)
    {
        byte[] OnRank(ICountExchange exchange)
        {
            var owned = Owned(saliency.Length, exchange.Rank, exchange.Size);
            var local = saliency.AsSpan(owned.Start, owned.Count);
            var ranked = ranges?.Select(r => new IndexRange(Math.Clamp(r.Start, owned.Start, owned.End) - owned.Start, Math.Clamp(r.End, owned.Start, owned.End) - owned.Start)).ToArray();
            var result = new ExactSelection(exchange).Select(local, owned.Start, ranked, options, _ => "");
            var mask = new byte[owned.Count];
            mask.AsSpan().Fill(7);
            ExactSelection.WriteMask(local, ranked, result, mask);
            return mask;
        }

        try
        {
            return ranks == 1 ? OnRank(new SingleRankExchange()) : [.. ThreadedExchange.Run(ranks, OnRank).SelectMany(m => m)];
        }
        catch (RunFailedException)
        {
            return null;
        }
    }

    private static byte[]? BySorting(float[] saliency, IndexRange[]? ranges, SelectionOptions options)
    {
        var ranked = (ranges ?? [new IndexRange(0, saliency.Length)]).SelectMany(r => Enumerable.Range(r.Start, r.Count)).ToArray();
        var n = ranked.Length;
        var k = (int)decimal.Floor((1 - options.Fraction) * n);
        var ordered = ranked.OrderByDescending(i => saliency[i]).ThenBy(i => i).ToArray();
        var zeros = ranked.Count(i => saliency[i] == 0);
        if ((n > 1 && ranked.All(i => saliency[i] == saliency[ranked[0]])) || (2 * zeros > n && n - zeros < n - k))
        {
            return null;
        }

        IEnumerable<int> selected = ordered.Take(n - k);
        if (options.Ties == TieRule.Strict && k > 0)
        {
            var threshold = saliency[ordered[n - k]];
            selected = selected.Where(i => saliency[i] > threshold);
        }

        var mask = new byte[saliency.Length];
        foreach (var i in selected)
        {
            mask[i] = 1;
        }

        return mask;
    }
}
