namespace Scissorhands.Deletion.Gate;

/// <summary>A share measured on samples.</summary>
/// <param name="Share">In [0, 1].</param>
/// <param name="Count">Samples, at least 1.</param>
public sealed record MeasuredShare(double Share, long Count);

/// <summary>Figures of a run, before and after.</summary>
/// <param name="Forget">Accuracy on the forget set, after.</param>
/// <param name="Mia">Share of the forget set that the attack calls non-members, after; null where there is no test data.</param>
/// <param name="RetainBefore">Accuracy on the data that is kept, before.</param>
/// <param name="Retain">The same, after.</param>
/// <param name="TestBefore">Accuracy on the test data that attempts are chosen with, before; null where there is none.</param>
/// <param name="Test">The same, after.</param>
/// <param name="Earlier">Accuracy on what earlier runs have forgotten and is still in the data, after; null for none.</param>
/// <param name="FinalBefore">Accuracy on the test data that no choice looks at, before; null where there is none.</param>
/// <param name="Final">The same, after.</param>
public sealed record GateFigures(
    MeasuredShare Forget,
    MeasuredShare? Mia,
    MeasuredShare RetainBefore,
    MeasuredShare Retain,
    MeasuredShare? TestBefore,
    MeasuredShare? Test,
    MeasuredShare? Earlier,
    MeasuredShare? FinalBefore = null,
    MeasuredShare? Final = null);

/// <summary>
/// Judges a result both ways: the forget set must look neither more familiar than to a model that never saw it nor much
/// stranger, and what is kept must not have been damaged. Each share is judged by its 95 % interval (Clopper and Pearson):
/// inside the bounds it passes, outside it fails, across a bound the share itself decides where there are enough samples.
/// </summary>
public static class GateJudge
{
    private const double Percent = 100;

    /// <summary>Judges.</summary>
    /// <param name="figures">What was measured.</param>
    /// <param name="bounds">The bounds.</param>
    /// <returns>The verdict.</returns>
    public static GateVerdict Judge(GateFigures figures, GateBounds bounds)
    {
        ArgumentNullException.ThrowIfNull(figures);
        ArgumentNullException.ThrowIfNull(bounds);
        var checks = new List<GateCheck>();
        var notes = new List<string>();
        var reference = bounds.ReferenceForgetAccuracy ?? figures.Test?.Share * Percent;
        if (reference is { } expected)
        {
            var (min, max) = (Math.Max(0, expected - bounds.ForgetBelow), Math.Min(Percent, expected + bounds.ForgetAbove));
            checks.Add(Check("forgetAccuracy", figures.Forget, min, max, bounds));
            if (figures.Earlier is { } earlier)
            {
                checks.Add(Check("earlierAccuracy", earlier, min, max, bounds));
            }
        }
        else
        {
            notes.Add("forget accuracy was not judged: neither a retrained model's figure nor test data was given");
        }

        if (bounds.ReferenceMia is { } mia && figures.Mia is { } attacked)
        {
            checks.Add(Check("mia", attacked, Math.Max(0, mia - bounds.MiaWithin), Math.Min(Percent, mia + bounds.MiaWithin), bounds));
        }
        else
        {
            notes.Add("the membership attack was not judged: no retrained model's figure was given");
        }

        checks.Add(Floor("retainAccuracy", figures.RetainBefore, figures.Retain, bounds.RetainDrop, bounds.MinRetainAccuracy));
        if (figures is { TestBefore: { } before, Test: { } after })
        {
            checks.Add(Floor("testAccuracy", before, after, bounds.TestDrop, bounds.MinTestAccuracy));
        }
        else
        {
            notes.Add("test accuracy was not judged: no test data was given");
        }

        return new GateVerdict(Decide(checks, bounds, notes), checks, notes);
    }

    /// <summary>
    /// The last word on an attempt that <see cref="Judge"/> lets pass: the same, with the test data that no choice has looked
    /// at. The best of several attempts looks better on what it was chosen by than it is.
    /// </summary>
    /// <param name="figures">What was measured.</param>
    /// <param name="bounds">The bounds.</param>
    /// <returns>The verdict; null where that half has fewer than <see cref="GateBounds.MinForgetSamples"/> samples.</returns>
    public static GateVerdict? JudgeFinal(GateFigures figures, GateBounds bounds)
    {
        ArgumentNullException.ThrowIfNull(figures);
        ArgumentNullException.ThrowIfNull(bounds);
        return figures is { FinalBefore: { } before, Final: { } after } && after.Count >= bounds.MinForgetSamples
            ? Judge(figures with { TestBefore = before, Test = after }, bounds)
            : null;
    }

    private static GateDecision Decide(List<GateCheck> checks, GateBounds bounds, List<string> notes)
    {
        // Damage first: a stronger preset would add to it.
        if (checks.Any(static c => c.Outcome == GateOutcome.TooLow && c.Name != "mia") || checks.Any(static c => c is { Name: "mia", Outcome: GateOutcome.TooHigh }))
        {
            return GateDecision.Milder;
        }

        // A small share of non-members is a forget set that still looks like training data.
        if (checks.Any(static c => c.Outcome is GateOutcome.TooHigh or GateOutcome.TooLow))
        {
            return GateDecision.Stronger;
        }

        if (!checks.Any(static c => c.Outcome == GateOutcome.Inconclusive))
        {
            return GateDecision.Publish;
        }

        if (bounds.SmallSets == SmallSetRule.Reject)
        {
            notes.Add($"inconclusive with fewer than {bounds.MinForgetSamples} samples: rejected by the policy's rule for small sets");
            return checks.Any(static c => c is { Outcome: GateOutcome.Inconclusive, Name: "forgetAccuracy" or "earlierAccuracy" } && c.Value > c.Max) ? GateDecision.Stronger : GateDecision.Milder;
        }

        notes.Add($"inconclusive with fewer than {bounds.MinForgetSamples} samples: accepted by the policy's rule for small sets");
        return GateDecision.Publish;
    }

    private static GateCheck Check(string name, MeasuredShare measured, double min, double max, GateBounds bounds)
    {
        var interval = Interval(measured);
        var (value, low, high) = (measured.Share * Percent, interval.Low * Percent, interval.High * Percent);
        var outcome =
            low >= min && high <= max ? GateOutcome.Pass
            : high < min ? GateOutcome.TooLow
            : low > max ? GateOutcome.TooHigh
            : measured.Count < bounds.MinForgetSamples ? GateOutcome.Inconclusive
            : value < min ? GateOutcome.TooLow
            : value > max ? GateOutcome.TooHigh
            : GateOutcome.Pass;
        return new GateCheck(name, value, measured.Count, low, high, min, max, outcome);
    }

    // Sets that are kept are large, and a drop is a drop: the share itself decides.
    private static GateCheck Floor(string name, MeasuredShare before, MeasuredShare after, double drop, double? least)
    {
        var interval = Interval(after);
        var min = Math.Max(Math.Max(0, (before.Share * Percent) - drop), least ?? 0);
        var value = after.Share * Percent;
        return new GateCheck(name, value, after.Count, interval.Low * Percent, interval.High * Percent, min, null, value < min ? GateOutcome.TooLow : GateOutcome.Pass);
    }

    private static ShareInterval Interval(MeasuredShare measured) => ClopperPearson.Of((long)Math.Round(measured.Share * measured.Count), measured.Count);
}
