namespace Scissorhands.Watch.Tests;

/// <summary>Whether what is asked for is measured, with these labels.</summary>
internal static class MetricsUse
{
    private static readonly string[] OfTheScrape = ["job", "instance", "namespace", "le"];

    /// <summary>Checks one selector.</summary>
    /// <param name="where">Names the place in messages.</param>
    /// <param name="name">The metric.</param>
    /// <param name="labels">What it is selected by.</param>
    public static void Check(string where, string name, IEnumerable<string> labels)
    {
        if (MetricsCatalogue.Own.TryGetValue(name, out var metric))
        {
            Assert.All(labels, label => Assert.True(metric.Labels.Contains(label) || OfTheScrape.Contains(label), $"{where}: {name} has no label {label}"));
        }
        else
        {
            Assert.True(MetricsCatalogue.Foreign.Contains(name), $"{where}: {name} is neither in docs/metrics.md nor among those of others");
        }
    }

    /// <summary>Checks what an expression groups by, where it is of the product's metrics alone.</summary>
    /// <param name="where">Names the place in messages.</param>
    /// <param name="expression">The expression.</param>
    public static void CheckGroupings(string where, PromExpression expression)
    {
        if (expression.Selectors.All(static s => MetricsCatalogue.Own.ContainsKey(s.Name)))
        {
            var labels = expression.Selectors.SelectMany(static s => MetricsCatalogue.Own[s.Name].Labels).Concat(OfTheScrape).ToHashSet(StringComparer.Ordinal);
            Assert.All(expression.Groupings, label => Assert.True(labels.Contains(label), $"{where}: no metric there has a label {label}"));
        }
    }
}
