using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json;
using Scissorhands.Core.Selection;

namespace Scissorhands.Benchmarks.Selection;

/// <summary>
/// Exact selection over heavy-tailed saliencies against a single summing pass over the same array, on one thread:
/// <c>selection [elements] [rounds]</c>, 100 million and 11 where not given. Targets: at most 2 x where the bracket holds,
/// 8 x by radix rounds; writing the mask is timed apart.
/// </summary>
internal static class SelectionBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 100_000_000;
        var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 11;
        var saliency = new float[count];
        MadeUpSaliency.Fill(saliency, 0);
        var mask = new byte[count];
        var selection = new ExactSelection(new SingleRankExchange());
        var options = new SelectionOptions(0.03m, TieRule.Index, 1);
        var half = options with { Fraction = 0.5m };
        var radixOptions = options with { SampleSize = 0 };
        var missOptions = options with { SampleSize = 64, MarginDeviations = -100 };
        SelectionResult bracketed = default, halved = default, radix = default, missed = default;
        var sum = 0f;
        var times = Alternating.Run(
            rounds,
            () => sum += TensorPrimitives.Sum<float>(saliency),
            () => bracketed = selection.Select(saliency, 0, null, options, _ => ""),
            () => halved = selection.Select(saliency, 0, null, half, _ => ""),
            () => radix = selection.Select(saliency, 0, null, radixOptions, _ => ""),
            () => missed = selection.Select(saliency, 0, null, missOptions, _ => ""),
            () => ExactSelection.WriteMask(saliency, null, bracketed, mask));
        var held = bracketed.BracketHeld && halved.BracketHeld && !radix.BracketHeld && !missed.BracketHeld;
        var equal = radix.Threshold == bracketed.Threshold && missed.Threshold == bracketed.Threshold
            && TensorPrimitives.Sum<int>(Array.ConvertAll(mask, b => (int)b)) == bracketed.Selected;
        string[] names = ["sum", "bracket 3 %", "bracket 50 %", "radix", "bracket missed, then radix", "mask"];
        for (var i = 0; i < names.Length; i++)
        {
            var (least, median) = times.Ratio(i, 0);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{names[i],-28} {times.Milliseconds(i),9:F1} ms   {median,6:F2} x sum (least {least:F2})"));
        }

        Console.WriteLine(JsonSerializer.Serialize(new
        {
            benchmark = "selection",
            elements = count,
            rounds,
            sumMs = times.Milliseconds(0),
            bracket = new { min = times.Ratio(1, 0).Min, median = times.Ratio(1, 0).Median },
            bracketHalf = new { min = times.Ratio(2, 0).Min, median = times.Ratio(2, 0).Median },
            radix = new { min = times.Ratio(3, 0).Min, median = times.Ratio(3, 0).Median },
            missed = new { min = times.Ratio(4, 0).Min, median = times.Ratio(4, 0).Median },
            mask = new { min = times.Ratio(5, 0).Min, median = times.Ratio(5, 0).Median },
            pathsAsIntended = held,
            answersEqual = equal,
        }));
        return held && equal && float.IsFinite(sum) ? 0 : 1;
    }
}
