using System.Text.RegularExpressions;

namespace Scissorhands.Watch.Tests;

/// <summary>What an expression in PromQL asks for. Whether it can be parsed is promtool's to say.</summary>
internal sealed partial class PromExpression
{
    private static readonly string[] Words = ["and", "or", "unless", "bool", "offset", "Inf", "NaN"];

    public PromExpression(string text)
    {
        // In this order: what a string holds looks like anything, and what is grouped by like a metric.
        Text = text;
        var rest = Quoted().Replace(text, "\"\"");
        Windows = [.. Window().Matches(rest).Select(static match => match.Groups[1].Value).Distinct(StringComparer.Ordinal)];
        Groupings = [.. Grouping().Matches(rest).SelectMany(static match => match.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Distinct(StringComparer.Ordinal)];
        rest = Offset().Replace(Window().Replace(Grouping().Replace(rest, " "), " "), " ");
        Selectors = [.. Selector().Matches(rest).Where(static match => !match.Groups[3].Success && !Words.Contains(match.Groups[1].Value)).Select(static match => (match.Groups[1].Value, Labels(match.Groups[2].Value)))];
    }

    public string Text { get; }

    /// <summary>The metrics, each with the labels that it is selected by.</summary>
    public IReadOnlyList<(string Name, string[] Labels)> Selectors { get; }

    /// <summary>The labels that are grouped by or matched on.</summary>
    public IReadOnlyList<string> Groupings { get; }

    /// <summary>What stands in brackets behind a selector.</summary>
    public IReadOnlyList<string> Windows { get; }

    private static string[] Labels(string matchers) => [.. Matcher().Matches(matchers).Select(static match => match.Groups[1].Value)];

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"\[([^\]]*)\]")]
    private static partial Regex Window();

    [GeneratedRegex(@"\boffset\s+\w+")]
    private static partial Regex Offset();

    [GeneratedRegex(@"(?<![\w.$])([a-zA-Z_:][\w:]*)\s*(?:(\{[^}]*\})|(\())?")]
    private static partial Regex Selector();

    [GeneratedRegex("([a-zA-Z_]\\w*)\\s*(?:=~|!~|!=|=)")]
    private static partial Regex Matcher();
}
