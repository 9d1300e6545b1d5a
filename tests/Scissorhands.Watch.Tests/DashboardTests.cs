using System.Text.Json;
using System.Text.RegularExpressions;
using Scissorhands.Testing;

namespace Scissorhands.Watch.Tests;

/// <summary>The dashboards ask for what is measured, in the way Grafana's own linter wants, and explain themselves.</summary>
public sealed partial class DashboardTests
{
    private static readonly string[] Measures = ["stat", "timeseries", "bargauge"];

    public static TheoryData<string> Files => [.. WatchFiles.Dashboards.Select(static path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Files))]
    public void Panel_Any_ExplainsItself(string file)
    {
        foreach (var panel in Panels(file))
        {
            var title = panel.GetProperty("title").GetString()!;
            Assert.NotEmpty(title);
            Assert.True(panel.GetProperty("description").GetString() is { Length: >= 20 }, $"{file}, {title}: says neither what it shows nor what to do");
            Assert.Equal("${datasource}", panel.GetProperty("datasource").GetProperty("uid").GetString());
            if (Measures.Contains(panel.GetProperty("type").GetString()))
            {
                Assert.NotEmpty(panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString()!);
            }

            foreach (Match page in Runbook().Matches(panel.GetProperty("description").GetString()!))
            {
                Assert.True(File.Exists(Path.Combine(RepositoryFiles.Root, page.Value)), $"{file}, {title}: there is no {page.Value}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Query_Any_AsksForWhatIsMeasured(string file)
    {
        foreach (var (title, expression) in Queries(file))
        {
            foreach (var (name, labels) in expression.Selectors)
            {
                MetricsUse.Check($"{file}, {title}", name, labels);
                if (MetricsCatalogue.Own.ContainsKey(name))
                {
                    Assert.True(labels.Contains("job") && labels.Contains("instance"), $"{file}, {title}: {name} is not selected by $job and $instance");
                }
            }

            MetricsUse.CheckGroupings($"{file}, {title}", expression);
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Query_OfACounter_IsOfARateOverTheIntervalThatGrafanaChooses(string file)
    {
        foreach (var (title, expression) in Queries(file))
        {
            Assert.All(expression.Windows, window => Assert.True(window is "$__rate_interval" or "$__range", $"{file}, {title}: [{window}] does not follow the interval of the scrapes"));
            foreach (var (name, _) in expression.Selectors.Where(static s => Counter().IsMatch(s.Name)))
            {
                Assert.True(Regex.IsMatch(expression.Text, $@"(rate|increase)\({name}\b"), $"{file}, {title}: {name} counts, and is shown without rate");
            }
        }
    }

    [Fact]
    public void Dashboards_All_BelongTogether()
    {
        var roots = WatchFiles.Dashboards.Select(static path => Read(Path.GetFileName(path))).ToArray();
        Assert.Equal(3, roots.Select(static root => root.GetProperty("uid").GetString()).Distinct().Count());
        foreach (var root in roots)
        {
            var title = root.GetProperty("title").GetString();
            Assert.False(root.GetProperty("editable").GetBoolean());
            Assert.Contains("scissorhands", root.GetProperty("tags").EnumerateArray().Select(static tag => tag.GetString()));
            Assert.Contains(root.GetProperty("links").EnumerateArray(), static link => link.GetProperty("type").GetString() == "dashboards" && link.GetProperty("tags").EnumerateArray().Any(static tag => tag.GetString() == "scissorhands"));
            var variables = root.GetProperty("templating").GetProperty("list").EnumerateArray().ToDictionary(static v => v.GetProperty("name").GetString()!, StringComparer.Ordinal);
            Assert.Equal("datasource", variables["datasource"].GetProperty("type").GetString());
            Assert.True(variables["job"].GetProperty("multi").GetBoolean() && variables["instance"].GetProperty("multi").GetBoolean(), title);
        }
    }

    [Fact]
    public void Metrics_OfTheProduct_AreEachOnABoard()
    {
        var shown = WatchFiles.Dashboards.SelectMany(static path => Queries(Path.GetFileName(path))).SelectMany(static q => q.Expression.Selectors).Select(static s => s.Name).Where(MetricsCatalogue.Own.ContainsKey).Select(static name => MetricsCatalogue.Own[name].Name).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(MetricsCatalogue.Own.Values.Select(static metric => metric.Name).Distinct(StringComparer.Ordinal).Except(shown));
    }

    [Fact]
    public async Task Dashboards_All_PassTheirCheck()
    {
        var check = RepositoryFiles.FindShared("tools", "dashcheck.py");
        Assert.SkipUnless(check is not null, "../shared/tools/dashcheck.py is not beside the repository");
        Assert.SkipUnless(File.Exists("/usr/bin/promtool"), "promtool is not installed (apt-get install prometheus)");
        var (code, output) = await ChildProcess.RunAsync("/usr/bin/python3", [check!, .. WatchFiles.Dashboards]);
        Assert.SkipWhen(output.Contains("No module named", StringComparison.Ordinal), output);
        Assert.True(code == 0 && !output.Contains("(lint)", StringComparison.Ordinal), output);
    }

    /// <summary>All queries of a dashboard, each with the title of its panel.</summary>
    internal static IEnumerable<(string Title, PromExpression Expression)> Queries(string file) =>
        Panels(file).SelectMany(static panel => panel.GetProperty("targets").EnumerateArray().Select(target => (panel.GetProperty("title").GetString()!, new PromExpression(target.GetProperty("expr").GetString()!))));

    private static IEnumerable<JsonElement> Panels(string file) => Read(file).GetProperty("panels").EnumerateArray().Where(static panel => panel.GetProperty("type").GetString() != "row");

    private static JsonElement Read(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(WatchFiles.Dashboards.Single(path => Path.GetFileName(path) == file)));
        return document.RootElement.Clone();
    }

    [GeneratedRegex(@"docs/runbooks/[a-z-]+\.md")]
    private static partial Regex Runbook();

    [GeneratedRegex("_(total|count|sum|bucket)$")]
    private static partial Regex Counter();
}
