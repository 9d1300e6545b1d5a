using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Tests;

public sealed class ReportTextTests
{
    [Fact]
    public void Table_run_isPinned()
    {
        Assert.Equal(
            """
            forgot 5,000 of 50,000 samples, trimmed 12,541 of 701,466 weights (1.79 %), repaired in 10 epochs
            %           before    after trim  after repair     retrained
            UA            1.90         90.64         11.78         15.28   forgotten, wrong answers
            RA           98.15          9.15         97.65         98.11   remaining, right answers
            TA           85.71          9.31         83.30         84.27   test, right answers
            MIA           7.90         44.74         17.38         25.62   forgotten, taken for unseen
            gap           8.15         64.60          3.29          0.00   mean distance from retrained

            """.ReplaceLineEndings("\n"),
            ReportText.Table(SampleReports.Full()));
    }

    [Fact]
    public void Table_evaluation_showsWhatIsMissing()
    {
        var text = ReportText.Table(new EvaluationReport(new MetricSet(1, 2, null, null), null));

        Assert.Contains("n/a", text, StringComparison.Ordinal);
        Assert.DoesNotContain("gap", text, StringComparison.Ordinal);
    }

    [Fact]
    public void AverageGap_missingFigure_isNull()
    {
        var whole = new MetricSet(1, 2, 3, 4);

        Assert.Null(whole.AverageGap(null));
        Assert.Null(whole.AverageGap(whole with { Mia = null }));
        Assert.Null((whole with { Ta = null }).AverageGap(whole));
        Assert.Equal(1, whole.AverageGap(new MetricSet(2, 1, 4, 3)));
    }
}
