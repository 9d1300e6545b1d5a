using System.Text;
using Scissorhands.Reporting.Html;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting;

/// <summary>The figures as plain text for terminals and logs.</summary>
public static class ReportText
{
    /// <summary>A table of a run's figures, in percent.</summary>
    /// <param name="report">The report.</param>
    /// <returns>Lines of ASCII text, each closed by a line feed.</returns>
    public static string Table(RunReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var columns = new List<(string Name, MetricSet Metrics)>
        {
            ("before", report.Before.Percent),
            ("after trim", report.AfterTrim.Percent),
            ("after repair", report.AfterRepair.Percent),
        };
        if (report.Retrained is { } retrained)
        {
            columns.Add(("retrained", retrained.Percent));
        }

        var text = new StringBuilder();
        text.Append(Line($"forgot {Numbers.Count(report.Identity.ForgetCount)} of {Numbers.Count(report.Identity.ForgetCount + report.Identity.RetainCount)} samples, "
            + $"trimmed {Numbers.Count(report.Trim.Trimmed)} of {Numbers.Count(report.Trim.Parameters)} weights ({Numbers.Share(report.Trim.Share)}), "
            + $"repaired in {report.Repair.Epochs.Count} epochs"));
        return text.Append(Table(columns, report.Retrained?.Percent)).ToString();
    }

    /// <summary>A table of an evaluation's figures, in percent.</summary>
    /// <param name="report">The figures.</param>
    /// <returns>Lines of ASCII text, each closed by a line feed.</returns>
    public static string Table(EvaluationReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var columns = new List<(string Name, MetricSet Metrics)> { ("model", report.Metrics) };
        if (report.Retrained is { } retrained)
        {
            columns.Add(("retrained", retrained));
        }

        return Table(columns, report.Retrained);
    }

    private static string Table(List<(string Name, MetricSet Metrics)> columns, MetricSet? reference)
    {
        var text = new StringBuilder();
        text.Append(Line(Row("%", columns.Select(column => column.Name))));
        foreach (var metric in Metric.All)
        {
            text.Append(Line(Row(metric.Name, columns.Select(column => Numbers.Percent(metric.Of(column.Metrics)))) + "   " + metric.Short));
        }

        if (reference is not null)
        {
            text.Append(Line(Row("gap", columns.Select(column => Numbers.Percent(column.Metrics.AverageGap(reference)))) + "   mean distance from retrained"));
        }

        return text.ToString();
    }

    private static string Row(string name, IEnumerable<string> cells)
    {
        return name.PadRight(4) + string.Concat(cells.Select(cell => cell.PadLeft(14)));
    }

    private static string Line(string text) => text + "\n";
}
