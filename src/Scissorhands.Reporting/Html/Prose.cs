using System.Globalization;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Html;

/// <summary>The report's sentences: what was asked, what was done, and how to read the outcome.</summary>
internal static class Prose
{
    // Two models trained alike but for the seed differ by about this much on UA; less is not worth a sentence.
    private const double LeastPoints = 2;

    // Chance this large drowns what the two figures could say.
    private const double CoarsePoints = 20;

    /// <summary>What was asked and what was done.</summary>
    public static string Task(RunReport report)
    {
        var identity = report.Identity;
        var total = identity.ForgetCount + identity.RetainCount + identity.TombstoneCount;
        var asked = $"The model was to forget {Samples(identity.ForgetCount)} of the {Numbers.Count(total)} it was trained on.";
        var done = $" {Numbers.Count(report.Trim.Trimmed)} of its {Numbers.Count(report.Trim.Parameters)} weights ({Numbers.Share(report.Trim.Share)}), "
            + "chosen among those that react most strongly to these samples, were given fresh starting values.";
        var epochs = report.Repair.Epochs.Count;
        var repaired = epochs == 0
            ? " The model was not repaired afterwards."
            : $" The model was then repaired in {epochs} {(epochs == 1 ? "pass" : "passes")} over the {Numbers.Count(identity.RetainCount)} samples that remain.";
        return asked + done + repaired;
    }

    /// <summary>What came of it, in figures.</summary>
    public static string Outcome(RunReport report)
    {
        var before = report.Before.Percent;
        var after = report.AfterRepair.Percent;
        var text = $"It now answers {Wrong(report.AfterRepair)} wrongly; before: {WrongShort(report.Before)}."
            + $" On the samples it should keep, its accuracy went from {Numbers.Rough(before.Ra)} % to {Numbers.Rough(after.Ra)} %";
        return text + (before.Ta is { } was && after.Ta is { } isNow ? $", on test data it never saw from {Numbers.Rough(was)} % to {Numbers.Rough(isNow)} %." : ".");
    }

    /// <summary>How the outcome compares with the best yardstick at hand.</summary>
    public static string Verdict(RunReport report)
    {
        var after = report.AfterRepair.Percent;
        if (report.Retrained is { } retrained)
        {
            var reference = retrained.Percent;
            var text = Answers(after.Ua, reference.Ua, report.Identity.ForgetCount);
            if (after.Mia is { } mia && reference.Mia is { } unseen)
            {
                text += " " + Attack(mia, unseen, report.Identity.ForgetCount);
            }

            if (Noise(after.Ua, reference.Ua, report.Identity.ForgetCount) > CoarsePoints)
            {
                text += $" With {Samples(report.Identity.ForgetCount)} this says little: chance alone moves such shares by tens of percentage points.";
            }

            if (report.AverageGap is { } gap)
            {
                var was = report.Before.Percent.AverageGap(reference);
                text += $" On average its four figures lie {Numbers.Percent(gap)} percentage points from those of the retrained model, where the model that came in was {Numbers.Percent(was)} away.";
            }

            return text;
        }

        return after.Ta is { } ta
            ? $"No retrained model was given, so there is no direct yardstick. A rough one: the model answers {Numbers.Rough(100 - ta)} % of the test samples wrongly, which it never saw. "
                + $"Where the forgotten samples are ordinary ones, a share of wrong answers near that is what forgetting looks like; here it is {Numbers.Rough(after.Ua)} %."
            : "Neither a retrained model nor test data was given: there is no yardstick, and the figures below show only how the model changed.";
    }

    /// <summary>What the report cannot show, one sentence each.</summary>
    public static IEnumerable<string> Limits(RunReport report)
    {
        yield return "It is no proof that nothing remains. Unlearning of this kind is approximate: the figures compare what the model does, not what its weights hold.";
        yield return "The membership test is one simple attack, which looks at the model's confidence only. A stronger attack might still tell forgotten samples from ones never seen.";
        yield return "A higher share of wrong answers on the forgotten samples is not better without limit. Good is what a model does that never saw them.";
        yield return report.Retrained is null
            ? "There was no retrained model to compare with. Without one, nobody can say how close the result is to a model that never saw the samples."
            : "The retrained model is one of many that training could have given. Two of them differ from each other too, commonly by a point or more.";
        if (report.Identity.ForgetCount < 200)
        {
            yield return $"The figures on the forgotten samples are coarse: one sample is {Numbers.Percent(100.0 / Math.Max(1, report.Identity.ForgetCount))} percentage points.";
        }

        yield return "It speaks of this model file alone: not of copies, older versions, models derived from it, or the stores the samples came from.";
        yield return "It cannot tell whether the list of samples was complete. Near-duplicates that stayed in the training data keep teaching the model the same.";
        yield return "It is a measurement, not a legal assessment.";
    }

    private static string Answers(double value, double reference, long samples)
    {
        var reading = Compare(value, reference, samples) switch
        {
            0 => "The model answers for the forgotten samples about as a model does that never saw them",
            < 0 => "The model still does better on the forgotten samples than a model that never saw them, so part of what it learnt from them may remain",
            _ => "The model does worse on the forgotten samples than a model that never saw them; forgetting too hard can itself give away which samples were removed",
        };
        return $"{reading} ({Numbers.Rough(value)} % against {Numbers.Rough(reference)} % wrong answers).";
    }

    private static string Attack(double value, double reference, long samples)
    {
        var reading = Compare(value, reference, samples) switch
        {
            0 => "The membership attack takes about as many of them for never seen as it does with that model",
            < 0 => "The membership attack still takes fewer of them for never seen than it does with that model, so its confidence gives some of them away as once known",
            _ => "The membership attack takes more of them for never seen than it does with that model, so they stick out as samples that were removed",
        };
        return $"{reading} ({Numbers.Rough(value)} % against {Numbers.Rough(reference)} %).";
    }

    private static int Compare(double value, double reference, long samples)
    {
        var difference = value - reference;
        return Math.Abs(difference) <= Math.Max(LeastPoints, Noise(value, reference, samples)) ? 0 : Math.Sign(difference);
    }

    // Two standard deviations of the difference of two measured shares, in percentage points. One right and one wrong answer
    // are added to each (Agresti and Caffo, 2000), so that shares of 0 and 100 % of a handful do not pass for certain.
    private static double Noise(double value, double reference, long samples)
    {
        return 200 * Math.Sqrt(Variance(value) + Variance(reference));

        double Variance(double percent)
        {
            var share = ((percent / 100 * samples) + 1) / (samples + 2);
            return share * (1 - share) / (samples + 2);
        }
    }

    private static string Samples(long count) => count == 1 ? "1 sample" : $"{Numbers.Count(count)} samples";

    private static string Wrong(ModelMeasurement model)
    {
        var of = IsHandful(model) ? $"{Numbers.Count(model.Forget.Count)} forgotten" : "forgotten";
        return $"{WrongShort(model)} of the {of} {(model.Forget.Count == 1 ? "sample" : "samples")}";
    }

    private static string WrongShort(ModelMeasurement model)
    {
        return IsHandful(model)
            ? Math.Round(model.Forget.Count * (1 - model.Forget.Accuracy)).ToString("0", CultureInfo.InvariantCulture)
            : Numbers.Rough(model.Percent.Ua) + " %";
    }

    // A percentage of a handful says less than the count.
    private static bool IsHandful(ModelMeasurement model) => model.Forget.Count < 50;
}
