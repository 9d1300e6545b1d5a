using System.Text.RegularExpressions;
using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Watch.Tests;

/// <summary>Every alert asks for what is measured, fires, clears, and has a page that says what to do.</summary>
public sealed partial class AlertTests
{
    private static readonly string[] Severities = ["critical", "warning"];

    public static TheoryData<string> Names => [.. Rules.Select(static rule => Text(rule, "alert"))];

    public static TheoryData<string> Cases => [.. WatchFiles.AlertTests.Select(static path => Path.GetFileName(path))];

    private static IReadOnlyList<YamlMappingNode> Rules { get; } =
        [.. Items(WatchFiles.ReadYaml(WatchFiles.Alerts), "groups").SelectMany(static group => Items(group, "rules"))];

    [Fact]
    public async Task Rules_All_AreWhatPrometheusTakes() => await WatchFiles.PromtoolAsync("check", "rules", WatchFiles.Alerts);

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Rules_Cases_FireAndClear(string file) => await WatchFiles.PromtoolAsync("test", "rules", WatchFiles.AlertTests.Single(path => Path.GetFileName(path) == file));

    [Theory]
    [MemberData(nameof(Names))]
    public void Alert_Any_IsTriedBeforeItFiresWhileItFiresAndAfterwards(string alert)
    {
        var tries = WatchFiles.AlertTests.SelectMany(static path => Items(WatchFiles.ReadYaml(path), "tests"))
            .Select(test => Items(test, "alert_rule_test").Where(step => Text(step, "alertname") == alert).Select(static step => ((YamlSequenceNode)step["exp_alerts"]).Children.Count > 0).ToArray());
        Assert.Contains(tries, static steps => steps is [false, .. var between, false] && between.Contains(true));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Alert_Any_TellsWhatIsWrongAndWhereToReadOn(string alert)
    {
        var rule = Rule(alert);
        Assert.Contains(Text((YamlMappingNode)rule["labels"], "severity"), Severities);
        var annotations = (YamlMappingNode)rule["annotations"];
        Assert.NotEmpty(Text(annotations, "summary"));
        Assert.True(alert is "ScissorhandsCoordinatorAbsent" || Text(annotations, "description").Contains("{{ $", StringComparison.Ordinal), $"{alert}: its description has no number");
        var page = Text(annotations, "runbook_url");
        Assert.Equal($"docs/runbooks/{Capital().Replace(alert["Scissorhands".Length..], "-$1").TrimStart('-').ToLowerInvariant()}.md", page);
        Assert.True(File.Exists(Path.Combine(RepositoryFiles.Root, page)), $"{alert}: there is no {page}");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Alert_Any_AsksForWhatIsMeasured(string alert)
    {
        var expression = new PromExpression(Text(Rule(alert), "expr"));
        Assert.NotEmpty(expression.Selectors);
        Assert.All(expression.Selectors, selector => MetricsUse.Check(alert, selector.Name, selector.Labels));
        MetricsUse.CheckGroupings(alert, expression);
    }

    [Fact]
    public void Runbooks_All_AreOfAnAlert() => Assert.Equal(
        Rules.Select(static rule => Path.GetFileName(Text((YamlMappingNode)rule["annotations"], "runbook_url"))).Order(StringComparer.Ordinal),
        WatchFiles.Runbooks.Select(static path => Path.GetFileName(path)));

    /// <summary>The expressions of all alerts.</summary>
    internal static IEnumerable<PromExpression> Expressions() => Rules.Select(static rule => new PromExpression(Text(rule, "expr")));

    private static YamlMappingNode Rule(string alert) => Rules.Single(rule => Text(rule, "alert") == alert);

    private static IEnumerable<YamlMappingNode> Items(YamlMappingNode node, string key) => ((YamlSequenceNode)node[key]).Children.Cast<YamlMappingNode>();

    private static string Text(YamlMappingNode node, string key) => ((YamlScalarNode)node[key]).Value!;

    [GeneratedRegex("([A-Z])")]
    private static partial Regex Capital();
}
