using System.Text.RegularExpressions;
using System.Xml.Linq;
using CsCheck;
using Scissorhands.Reporting.Html;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Tests;

public sealed class ReportHtmlTests
{
    private const string Hostile = "</title><script>alert('x')</script>\"&\u0001\u202Egpj.pt";

    [Fact]
    public void Render_sameReport_isTheSameText()
    {
        Assert.Equal(ReportHtml.Render(SampleReports.Full()), ReportHtml.Render(SampleReports.Full()));
    }

    [Fact]
    public void Render_hostileNames_areEscaped()
    {
        var report = SampleReports.Full();
        report = report with
        {
            Identity = report.Identity with { ModelFile = Hostile, RunId = Hostile },
            Environment = report.Environment with { Device = Hostile, ProgramVersion = Hostile },
            Notes = [Hostile],
            Artifacts = [new ArtifactDigest(Hostile, Hostile, 1)],
            Stages = [new StageTime(Hostile, 1, 1)],
            Trim = report.Trim with { Rows = [new ParameterTrim(Hostile, 3, 2, 1)] },
            Configuration = report.Configuration with { Data = report.Configuration.Data with { Cache = Hostile } },
        };

        var html = ReportHtml.Render(report);

        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\u0001', html);
        Assert.DoesNotContain('\u202E', html);
        Assert.Single(Regex.Matches(html, "</title>\\s*<style>"));
        Assert.Contains("&lt;script&gt;", html, StringComparison.Ordinal);
        AssertXml(html);
    }

    [Fact]
    public void Escape_anyText_isOneXmlText()
    {
        Gen.String.Sample(text =>
        {
            var parsed = XDocument.Parse($"<a b=\"{Markup.Escape(text)}\">{Markup.Escape(text)}</a>", LoadOptions.PreserveWhitespace);
            return !parsed.Root!.HasElements;
        });
    }

    [Fact]
    public void Render_fullReport_isWellFormed()
    {
        AssertXml(ReportHtml.Render(SampleReports.Full()));
    }

    [Fact]
    public void Render_bareReport_isWellFormedAndSaysWhatIsMissing()
    {
        var html = ReportHtml.Render(SampleReports.Bare());

        AssertXml(html);
        Assert.Contains("no yardstick", html, StringComparison.Ordinal);
        Assert.Contains("infinite", html, StringComparison.Ordinal);
        Assert.Contains("There were no repair steps", html, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", html, StringComparison.Ordinal);
        Assert.Contains("one sample is 100.00 percentage points", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Render_page_needsNothingFromOutside()
    {
        var html = ReportHtml.Render(SampleReports.Full());

        Assert.DoesNotMatch("(?i)https?:|src=|href=|url\\(|@import|<script|<link|<iframe|\\son[a-z]+=\"", html);
        Assert.Contains("default-src 'none'", html, StringComparison.Ordinal);
        Assert.All(html, c => Assert.True(c < 128));
    }

    [Fact]
    public void Render_svg_hasTitleAndDescriptionAndUniqueIds()
    {
        var html = ReportHtml.Render(SampleReports.Full());
        var plots = Svgs(html);

        Assert.Equal(8, plots.Count);
        Assert.All(plots, svg =>
        {
            Assert.Equal("img", svg.Attribute("role")?.Value);
            Assert.NotEmpty(svg.Element("title")!.Value);
            Assert.NotEmpty(svg.Element("desc")!.Value);
            var id = svg.Attribute("id")!.Value;
            Assert.Equal($"{id}-title {id}-desc", svg.Attribute("aria-labelledby")!.Value);
        });
        var ids = Regex.Matches(html, " id=\"([^\"]+)\"").Select(match => match.Groups[1].Value).ToArray();
        Assert.Equal(ids.Distinct(StringComparer.Ordinal), ids);
    }

    [Fact]
    public void Render_longSeries_isThinned()
    {
        var report = SampleReports.Full() with { Repair = SampleReports.Series(10, 20_000, 2000) };

        var loss = Svgs(ReportHtml.Render(report)).Single(svg => svg.Attribute("id")!.Value == "loss");

        foreach (var curve in loss.Elements("path"))
        {
            Assert.InRange(curve.Attribute("d")!.Value.Count(c => c is 'M' or 'L'), 1, Thinning.MaximumPoints);
        }
    }

    [Fact]
    public void Thinning_mean_keepsTheMean()
    {
        Gen.Double[0, 10].Array[1, 3000].Sample(values =>
        {
            var (points, run) = Thinning.Mean(values.Select(value => (double?)value).ToArray());
            var last = values.Length - (run * (points.Count - 1));
            var mean = ((points.Take(points.Count - 1).Sum(point => point.Y) * run) + (points[^1].Y * last)) / values.Length;
            return points.Count <= Thinning.MaximumPoints && Math.Abs(mean - values.Average()) < 1e-9;
        });
    }

    [Theory]
    [InlineData(0.8472, "about as a model does that never saw them")]
    [InlineData(0.98, "still does better")]
    [InlineData(0.30, "forgetting too hard")]
    public void Verdict_retrained_isTwoSided(double forgetAccuracy, string words)
    {
        var report = SampleReports.Full();
        report = report with { AfterRepair = report.AfterRepair with { Forget = report.AfterRepair.Forget with { Accuracy = forgetAccuracy } } };

        Assert.Contains(words, Prose.Verdict(report), StringComparison.Ordinal);
    }

    [Fact]
    public void Verdict_handfulOfSamples_allowsForChance()
    {
        var report = SampleReports.Full();
        report = report with
        {
            Identity = report.Identity with { ForgetCount = 3 },
            AfterRepair = report.AfterRepair with { Forget = report.AfterRepair.Forget with { Count = 3, Accuracy = 2 / 3.0 } },
        };

        Assert.Contains("about as a model does that never saw them", Prose.Verdict(report), StringComparison.Ordinal);
        Assert.Contains("With 3 samples this says little", Prose.Verdict(report), StringComparison.Ordinal);
        Assert.Contains("1 of the 3 forgotten samples", Prose.Outcome(report), StringComparison.Ordinal);
    }

    [Fact]
    public void Verdict_noneWrongInTheRetrained_oneOfThreeIsChance()
    {
        var report = SampleReports.Full();
        report = report with
        {
            Identity = report.Identity with { ForgetCount = 3 },
            AfterRepair = report.AfterRepair with { Forget = report.AfterRepair.Forget with { Count = 3, Accuracy = 2 / 3.0 } },
            Retrained = report.Retrained! with { Forget = report.Retrained.Forget with { Count = 3, Accuracy = 1 } },
        };

        Assert.Contains("about as a model does that never saw them", Prose.Verdict(report), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-10, "still takes fewer")]
    [InlineData(0.5, "about as many")]
    [InlineData(10, "stick out")]
    public void Verdict_attackApart_isSaidEvenWhereAnswersAgree(double points, string words)
    {
        var report = SampleReports.Full();
        report = report with { AfterRepair = report.AfterRepair with { Forget = report.Retrained!.Forget, NonMemberShare = report.Retrained.NonMemberShare + (points / 100) } };

        Assert.Contains("about as a model does that never saw them", Prose.Verdict(report), StringComparison.Ordinal);
        Assert.Contains(words, Prose.Verdict(report), StringComparison.Ordinal);
    }

    [Fact]
    public void Render_everyFigure_saysWhatIsGood()
    {
        var html = ReportHtml.Render(SampleReports.Full());

        var captions = Regex.Matches(html, "<figcaption>(.*?)</figcaption>", RegexOptions.Singleline).Select(m => m.Groups[1].Value).ToArray();
        Assert.True(captions.Length >= 6);
        Assert.All(captions, caption => Assert.Contains("Good:", caption, StringComparison.Ordinal));
    }

    [Fact]
    public void Render_noRetrained_noDiamondIsSpokenOf() =>
        Assert.DoesNotContain("diamond", ReportHtml.Render(SampleReports.Full() with { Retrained = null }), StringComparison.Ordinal);

    [Fact]
    public void Render_times_areShown()
    {
        var report = SampleReports.Full();
        report = report with { Environment = report.Environment with { StartedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 0, TimeSpan.Zero), FinishedAt = new DateTimeOffset(2026, 1, 2, 5, 6, 0, TimeSpan.Zero) } };

        Assert.Contains("started 2026-01-02 03:04 UTC, finished 2026-01-02 05:06 UTC", ReportHtml.Render(report), StringComparison.Ordinal);
    }

    private static List<XElement> Svgs(string html)
    {
        return Regex.Matches(html, "<svg.*?</svg>", RegexOptions.Singleline).Select(match => XDocument.Parse(match.Value).Root!).ToList();
    }

    // The page is written as XML too, which finds every unclosed element and every character that got in unescaped.
    private static void AssertXml(string html)
    {
        Assert.NotNull(XDocument.Parse(html[html.IndexOf("<html", StringComparison.Ordinal)..]).Root);
    }
}
