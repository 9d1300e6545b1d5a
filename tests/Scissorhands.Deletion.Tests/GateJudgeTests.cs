using CsCheck;
using Scissorhands.Deletion.Gate;

namespace Scissorhands.Deletion.Tests;

public sealed class GateJudgeTests
{
    private static readonly GateBounds Bounds = new() { ReferenceMia = 40 };

    private static GateFigures Figures(double forget = 0.9, long forgotten = 5000, double? mia = 0.4, double retain = 0.98, double test = 0.9, double? earlier = null) => new(
        new MeasuredShare(forget, forgotten),
        mia is { } share ? new MeasuredShare(share, forgotten) : null,
        new MeasuredShare(0.99, 40_000),
        new MeasuredShare(retain, 40_000),
        new MeasuredShare(0.91, 10_000),
        new MeasuredShare(test, 10_000),
        earlier is { } e ? new MeasuredShare(e, 5000) : null);

    [Fact]
    public void Judge_WithinAllBounds_Publishes()
    {
        var verdict = GateJudge.Judge(Figures(earlier: 0.9), Bounds);

        Assert.Equal(GateDecision.Publish, verdict.Decision);
        Assert.Equal(["forgetAccuracy", "earlierAccuracy", "mia", "retainAccuracy", "testAccuracy"], verdict.Checks.Select(static c => c.Name));
        Assert.All(verdict.Checks, static c => Assert.Equal(GateOutcome.Pass, c.Outcome));
        Assert.Empty(verdict.Notes);
    }

    /// <summary>The last word takes reference and floor from the unseen half alone, and is none where that is too small.</summary>
    [Fact]
    public void JudgeFinal_UnseenHalf_DecidesAloneAndOnlyWhereItIsLargeEnough()
    {
        var figures = Figures() with { FinalBefore = new MeasuredShare(0.91, 5000), Final = new MeasuredShare(0.80, 5000) };
        Assert.Equal(GateDecision.Publish, GateJudge.Judge(figures, Bounds).Decision);
        var final = GateJudge.JudgeFinal(figures, Bounds)!;
        Assert.Equal(["forgetAccuracy:TooHigh", "mia:Pass", "retainAccuracy:Pass", "testAccuracy:TooLow"], final.Checks.Select(static c => $"{c.Name}:{c.Outcome}"));

        Assert.Null(GateJudge.JudgeFinal(Figures(), Bounds));
        Assert.Null(GateJudge.JudgeFinal(figures with { Final = new MeasuredShare(0.80, 29) }, Bounds));
    }

    [Fact]
    public void DriftBudget_eachPart_isNamedWithItsNumbers()
    {
        var budget = new Scissorhands.Deletion.Batching.DriftBudget { MaxRuns = 3, MaxForgottenShare = 10, MaxTestDrop = 2 };
        Assert.Null(budget.Exceeded(new Scissorhands.Deletion.Batching.LineageDrift(3, 10, 2)));
        Assert.Null(budget.Exceeded(new Scissorhands.Deletion.Batching.LineageDrift(3, 10, null)));
        var all = budget.Exceeded(new Scissorhands.Deletion.Batching.LineageDrift(4, 10.5, 2.5));
        Assert.Equal("train the model anew: 4 runs (at most 3); 10.50 % of the training data forgotten (at most 10.00 %); 2.50 points of test accuracy lost (at most 2.00) since it was registered", all);
    }

    /// <summary>Both ways: remembering asks for a stronger preset, over-unlearning and damage for a milder one.</summary>
    [Theory]
    [InlineData(0.99, 0.4, 0.98, 0.90, 0.9, GateDecision.Stronger)]
    [InlineData(0.70, 0.4, 0.98, 0.90, 0.9, GateDecision.Milder)]
    [InlineData(0.90, 0.2, 0.98, 0.90, 0.9, GateDecision.Stronger)]
    [InlineData(0.90, 0.7, 0.98, 0.90, 0.9, GateDecision.Milder)]
    [InlineData(0.90, 0.4, 0.96, 0.90, 0.9, GateDecision.Milder)]
    [InlineData(0.90, 0.4, 0.98, 0.88, 0.9, GateDecision.Milder)]
    [InlineData(0.90, 0.4, 0.98, 0.90, 0.99, GateDecision.Stronger)]
    [InlineData(0.99, 0.4, 0.50, 0.90, 0.9, GateDecision.Milder)]
    public void Judge_BeyondABound_SaysInWhichDirection(double forget, double mia, double retain, double test, double earlier, GateDecision expected) =>
        Assert.Equal(expected, GateJudge.Judge(Figures(forget, mia: mia, retain: retain, test: test, earlier: earlier), Bounds).Decision);

    /// <summary>Three samples move accuracy in steps of 33 points: no bound can be told from their share.</summary>
    [Theory]
    [InlineData(SmallSetRule.Accept, 1.0, GateDecision.Publish)]
    [InlineData(SmallSetRule.Wait, 1.0, GateDecision.Publish)]
    [InlineData(SmallSetRule.Reject, 1.0, GateDecision.Stronger)]
    [InlineData(SmallSetRule.Reject, 0.66, GateDecision.Milder)]
    public void Judge_FewSamples_IsInconclusiveAndThePolicyDecides(SmallSetRule rule, double forget, GateDecision expected)
    {
        var verdict = GateJudge.Judge(Figures(forget, forgotten: 3, mia: null), new GateBounds { SmallSets = rule });

        Assert.Equal(GateOutcome.Inconclusive, verdict.Checks[0].Outcome);
        Assert.Equal(expected, verdict.Decision);
        Assert.Contains(verdict.Notes, static note => note.Contains("rule for small sets", StringComparison.Ordinal));
    }

    [Fact]
    public void Judge_FewSamplesFarOutside_FailsAllTheSame() =>
        Assert.Equal(GateDecision.Milder, GateJudge.Judge(Figures(0, forgotten: 20, mia: null), new GateBounds()).Decision);

    [Fact]
    public void Judge_WithoutReference_SaysWhatWasNotJudged()
    {
        var verdict = GateJudge.Judge(Figures(mia: null) with { Test = null, TestBefore = null }, new GateBounds());

        Assert.Equal(["retainAccuracy"], verdict.Checks.Select(static c => c.Name));
        Assert.Equal(3, verdict.Notes.Count);
    }

    /// <summary>More accuracy on the forget set never turns a verdict of remembering into one of damage, with enough samples.</summary>
    [Fact]
    public void Judge_MoreForgetAccuracy_NeverAsksForMilder() =>
        Gen.Select(Gen.Double[0, 1], Gen.Double[0, 1], Gen.Long[30, 5000]).Sample(
            (a, b, count) =>
            {
                var low = GateJudge.Judge(Figures(Math.Min(a, b), count, mia: null), new GateBounds()).Decision;
                var high = GateJudge.Judge(Figures(Math.Max(a, b), count, mia: null), new GateBounds()).Decision;
                Assert.False(low == GateDecision.Stronger && high != GateDecision.Stronger);
                Assert.False(high == GateDecision.Milder && low != GateDecision.Milder);
            });
}
