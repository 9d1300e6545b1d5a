using System.Globalization;
using System.Text;
using System.Text.Json;
using Scissorhands.Planning.Configuration;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Html;

/// <summary>
/// Writes <c>report.html</c>: one file without scripts or outside resources that a reader who knows no machine learning
/// can follow. Plots are inline SVG; what they show is also in tables. Equal reports give equal files.
/// </summary>
public static class ReportHtml
{
    private const int MaximumBars = 40;

    private static readonly string Style = ReadStyle();

    /// <summary>Writes the page beside its final name and renames it.</summary>
    /// <param name="report">The report.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="Planning.RunFailedException">The file cannot be written.</exception>
    public static void Write(RunReport report, string path)
    {
        var page = Render(report);
        PublishedFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }

    /// <summary>The page's text.</summary>
    /// <param name="report">The report.</param>
    /// <returns>A whole HTML document in ASCII; every text of the report is escaped.</returns>
    public static string Render(RunReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var page = new Markup();
        page.Line($"<!DOCTYPE html>").Line($"<html lang=\"en\">").Line($"<head>").Line($"<meta charset=\"utf-8\"/>");
        page.Line($"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>");
        page.Line($"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
        page.Line($"<title>Unlearning report: {report.Identity.ModelFile}</title>");
        page.Add($"<style>").Add(Trusted(Style)).Line($"</style>").Line($"</head>").Line($"<body>");
        Header(page, report);
        page.Line($"<main>");
        Summary(page, report);
        Figures(page, report);
        Limits(page, report);
        Notes(page, report);
        Done(page, report);
        Trimmed(page, report.Trim);
        Repair(page, report.Repair);
        Confidence(page, report);
        Stages(page, report.Stages);
        Evidence(page, report);
        page.Line($"</main>");
        page.Line($"<footer>Every figure on this page is also in report.json (schema {report.SchemaVersion}). Written by Scissorhands.Distributed {report.Environment.ProgramVersion}.</footer>");
        return page.Line($"</body>").Line($"</html>").ToString();
    }

    private static void Header(Markup page, RunReport report)
    {
        page.Line($"<header><p class=\"eyebrow\">Unlearning report</p><h1><bdi>{report.Identity.ModelFile}</bdi></h1>");
        page.Add($"<p class=\"meta\">Run <bdi>{report.Identity.RunId}</bdi>");
        if (report.Environment.StartedAt is { } started)
        {
            page.Add($", started {Minute(started)}");
        }

        if (report.Environment.FinishedAt is { } finished)
        {
            page.Add($", finished {Minute(finished)}");
        }

        page.Line($"</p></header>");
    }

    private static string Minute(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";

    private static void Summary(Markup page, RunReport report)
    {
        page.Line($"<section aria-labelledby=\"summary\"><h2 id=\"summary\">In short</h2>");
        page.Line($"<p class=\"lead\">{Prose.Task(report)}</p><p class=\"lead\">{Prose.Outcome(report)}</p>");
        page.Line($"<div class=\"tiles\">");
        foreach (var figure in Metric.All)
        {
            var value = figure.Of(report.AfterRepair.Percent);
            page.Add($"<div class=\"tile\"><span class=\"label\">{figure.Plain}</span><b>{Numbers.Percent(value)}{(value is null ? "" : " %")}</b>");
            page.Add($"<span>before {Numbers.Percent(figure.Of(report.Before.Percent))}</span>");
            page.Line($"<span>retrained {Numbers.Percent(report.Retrained is null ? null : figure.Of(report.Retrained.Percent))}</span></div>");
        }

        page.Line($"</div><p class=\"verdict\">{Prose.Verdict(report)}</p></section>");
    }

    private static void Figures(Markup page, RunReport report)
    {
        page.Line($"<section aria-labelledby=\"figures\"><h2 id=\"figures\">The figures, and what a good value is</h2>");
        page.Line($"<p>The aim is not the largest or the smallest figure but the one that a model gives that never saw the forgotten samples: the retrained model, where there is one.</p>");
        page.Line($"<figure>").Add(Plots.Positions("positions", Metric.All.Select(figure => new Plots.Position(
            figure.Name,
            figure.Short,
            figure.Of(report.Before.Percent),
            figure.Of(report.AfterTrim.Percent),
            figure.Of(report.AfterRepair.Percent),
            report.Retrained is null ? null : figure.Of(report.Retrained.Percent))).ToArray()));
        page.Line($"<figcaption>All in percent. {(report.Retrained is null
            ? "Good: the filled circles of UA and MIA near what a model gives that never saw the samples, which no retrained model shows here; those of RA and TA as high as before."
            : "Good: the filled circle lies on the diamond, the retrained model.")}</figcaption></figure>");
        page.Line($"<div class=\"scroll\"><table><caption>Accuracies and the attack in percent; losses are mean cross-entropies.</caption>");
        page.Line($"<thead><tr><th scope=\"col\">Figure</th><th scope=\"col\" class=\"figure\">Before</th><th scope=\"col\" class=\"figure\">After trim</th><th scope=\"col\" class=\"figure\">After repair</th><th scope=\"col\" class=\"figure\">Retrained</th></tr></thead><tbody>");
        foreach (var figure in Metric.All)
        {
            Row(page, report, figure.Name, model => Numbers.Percent(figure.Of(model.Percent)), figure.Meaning);
        }

        Row(
            page,
            report,
            "Average gap",
            model => Numbers.Percent(model.Percent.AverageGap(report.Retrained?.Percent)),
            "Mean distance of UA, RA, TA and MIA from the retrained model's, in percentage points. Good: small. The one figure where less is always better.");
        if (report.AfterRepair.Earlier is not null)
        {
            Row(
                page,
                report,
                "UA, earlier requests",
                model => Numbers.Percent(model.Earlier is null ? null : Math.Round(100 * (1 - model.Earlier.Accuracy), 9)),
                "The same as UA, on samples that earlier runs removed. Good: it does not fall, which would mean that they have come back.");
        }

        Row(page, report, "Loss, forgotten", model => Numbers.Plain(model.Forget.Loss), "How surprised the model is by the right answers for the forgotten samples. Good: near the retrained model's.");
        Row(page, report, "Loss, remaining", model => Numbers.Plain(model.Retain.Loss), "The same for the samples it keeps. Good: as low as before.");
        Row(page, report, "Loss, test", model => Numbers.Plain(model.Test?.Loss), "The same for test data. Good: as low as before.");
        page.Line($"</tbody></table></div></section>");
    }

    private static void Row(Markup page, RunReport report, string name, Func<ModelMeasurement, string> value, string meaning)
    {
        page.Add($"<tr class=\"head\"><th scope=\"row\">{name}</th><td class=\"figure\">{value(report.Before)}</td><td class=\"figure\">{value(report.AfterTrim)}</td>");
        page.Add($"<td class=\"figure final\">{value(report.AfterRepair)}</td><td class=\"figure\">{(report.Retrained is null ? Numbers.Missing : value(report.Retrained))}</td></tr>");
        page.Line($"<tr class=\"why\"><td colspan=\"5\">{meaning}</td></tr>");
    }

    private static void Limits(Markup page, RunReport report)
    {
        page.Line($"<section class=\"limits\" aria-labelledby=\"limits\"><h2 id=\"limits\">What this does not prove</h2><ul>");
        foreach (var limit in Prose.Limits(report))
        {
            page.Line($"<li>{limit}</li>");
        }

        page.Line($"</ul></section>");
    }

    private static void Notes(Markup page, RunReport report)
    {
        if (report.Notes.Count == 0)
        {
            return;
        }

        page.Line($"<section aria-labelledby=\"notes\"><h2 id=\"notes\">To be known about this run</h2><ul>");
        foreach (var note in report.Notes)
        {
            page.Line($"<li>{note}</li>");
        }

        page.Line($"</ul></section>");
    }

    private static void Done(Markup page, RunReport report)
    {
        var identity = report.Identity;
        var configuration = report.Configuration;
        page.Line($"<section aria-labelledby=\"done\"><h2 id=\"done\">What was asked, what was done</h2><dl>");
        Entry(page, "Samples to forget", Numbers.Count(identity.ForgetCount));
        if (identity.ForgetUnknownCount > 0)
        {
            Entry(page, "Asked for, but not in the data", $"{Numbers.Count(identity.ForgetUnknownCount)} entries of the list, left out");
        }

        Entry(page, "Samples to keep", Numbers.Count(identity.RetainCount));
        Entry(page, "Test samples", identity.TestCount == 0 ? "none" : Numbers.Count(identity.TestCount));
        Entry(page, "Left out, forgotten by earlier runs", identity.TombstoneCount == 0 ? "none" : Numbers.Count(identity.TombstoneCount));
        if (identity.TombstoneUnknownCount > 0)
        {
            Entry(page, "Of earlier requests, not in the data", $"{Numbers.Count(identity.TombstoneUnknownCount)} entries: deleted there too, or named otherwise");
        }

        Entry(page, "Selected", $"{Numbers.Count(report.Trim.Selected)} of {Numbers.Count(report.Trim.Parameters)} weights (fraction {configuration.Trim.Fraction.ToString(CultureInfo.InvariantCulture)}; the smallest saliency among them is {Numbers.Plain(report.Trim.Threshold)})");
        Entry(page, "Given fresh values", $"{Numbers.Count(report.Trim.Trimmed)} of them, those in scope: {Scope(configuration.Trim)}");
        Entry(page, "Repair", $"{report.Repair.Epochs.Count} epochs, {Numbers.Count(report.Repair.RetainLoss.Count)} steps of {configuration.Repair.BatchSize} samples, learning rate {Numbers.Plain(configuration.Repair.Lr)}, weight of forgetting {Numbers.Plain(configuration.Repair.Lambda)}");
        Entry(page, "Computed on", $"{report.Environment.Device}, {report.Environment.Workers} {(report.Environment.Workers == 1 ? "worker" : "workers")}");
        page.Line($"</dl></section>");
    }

    private static string Scope(TrimConfiguration trim)
    {
        var scope = trim.Scope.Count == 0 ? "everything but normalisation layers" : string.Join(", ", trim.Scope);
        return trim.Exclude.Count == 0 ? scope : $"{scope}, without {string.Join(", ", trim.Exclude)}";
    }

    private static void Entry(Markup page, string name, string value)
    {
        page.Line($"<dt>{name}</dt><dd>{value}</dd>");
    }

    private static void Trimmed(Markup page, TrimSummary trim)
    {
        page.Line($"<section aria-labelledby=\"trim\"><h2 id=\"trim\">Where the weights were renewed</h2>");
        var layers = trim.Rows
            .GroupBy(row => row.Name.LastIndexOf('.') is > 0 and var dot ? row.Name[..dot] : row.Name, StringComparer.Ordinal)
            .Select(layer => (Name: layer.Key, Elements: layer.Sum(row => row.Elements), Trimmed: layer.Sum(row => row.Trimmed)))
            .Where(layer => layer.Trimmed > 0)
            .ToArray();
        if (layers.Length == 0)
        {
            page.Line($"<p>No weight was renewed.</p></section>");
            return;
        }

        var shown = layers.OrderByDescending(layer => layer.Trimmed).Take(MaximumBars).Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        var bars = layers
            .Where(layer => shown.Contains(layer.Name))
            .Select(layer =>
            {
                var share = layer.Trimmed / (double)layer.Elements;
                return new Plots.Bar(layer.Name, share, $"{Numbers.Share(share)}  ({Numbers.Count(layer.Trimmed)})");
            })
            .ToArray();
        var largest = bars.MaxBy(bar => bar.Value)!;
        page.Line($"<figure>").Add(Plots.Bars("layers", "Share of each layer's weights that were renewed", $"{bars.Length} layers; the largest share is {largest.Label} in {largest.Name}.", bars, "plain"));
        var rest = layers.Length - bars.Length;
        page.Line($"<figcaption>Share of each layer's weights that got fresh values, and how many. Layers without any are left out{(rest > 0 ? $", and {rest} with the fewest" : "")}. Good: small shares, no layer renewed as a whole; what was renewed must be learnt anew from the remaining samples. Does not show: how much a weight held of the forgotten samples.</figcaption></figure>");
        page.Line($"<details><summary>All {trim.Rows.Count} parameters as a table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\" class=\"figure\">Weights</th><th scope=\"col\" class=\"figure\">Selected</th><th scope=\"col\" class=\"figure\">Renewed</th><th scope=\"col\" class=\"figure\">Share</th></tr></thead><tbody>");
        foreach (var row in trim.Rows)
        {
            page.Line($"<tr><td class=\"mono\">{row.Name}</td><td class=\"figure\">{Numbers.Count(row.Elements)}</td><td class=\"figure\">{Numbers.Count(row.Selected)}</td><td class=\"figure\">{Numbers.Count(row.Trimmed)}</td><td class=\"figure\">{Numbers.Share(row.Share)}</td></tr>");
        }

        page.Line($"</tbody></table></div></details></section>");
    }

    private static void Repair(Markup page, RepairSeries repair)
    {
        page.Line($"<section aria-labelledby=\"repair\"><h2 id=\"repair\">How the repair went</h2>");
        var (retain, run) = Thinning.Mean(repair.RetainLoss.Select(loss => (double?)loss).ToArray());
        var (forget, _) = Thinning.Mean(repair.ForgetLoss);
        if (retain.Count == 0)
        {
            page.Line($"<p>There were no repair steps.</p></section>");
            return;
        }

        var curves = new List<Plots.Curve> { new("remaining samples", "retain", retain, 2 * run) };
        if (forget.Count > 0)
        {
            curves.Add(new Plots.Curve("forgotten samples", "forget", forget, 2 * run));
        }

        page.Line($"<h3>Loss</h3><figure>").Add(Plots.Lines("loss", "Loss at each repair step", $"Over {repair.RetainLoss.Count} steps the loss on remaining samples went from {Numbers.Plain(retain[0].Y)} to {Numbers.Plain(retain[^1].Y)}.", "repair step", "loss", curves));
        page.Line($"<figcaption>Loss on the batches of each step{(run > 1 ? $", means over {run} steps" : "")}. Steps with forgotten samples come at the beginning of each pass, until these are used up. Good: the loss on remaining samples falls and levels off low; that on forgotten samples ends near the loss on test data. Does not show: what the final model does, which the figures above measure.</figcaption></figure>");
        if (repair.Epochs.Count > 0)
        {
            var accuracy = repair.Epochs.Where(epoch => double.IsFinite(epoch.RetainAccuracy)).Select(epoch => ((double)epoch.Epoch, 100 * epoch.RetainAccuracy)).ToArray();
            if (accuracy.Length > 0)
            {
                page.Line($"<h3>Accuracy while training</h3><figure>").Add(Plots.Lines("accuracy", "Accuracy on remaining samples during each pass", $"From {Numbers.Rough(accuracy[0].Item2)} percent in the first pass to {Numbers.Rough(accuracy[^1].Item2)} percent in the last.", "pass", "right answers, %", [new Plots.Curve("remaining samples", "retain", accuracy, double.PositiveInfinity)], (accuracy.Min(point => point.Item2), 100)));
                page.Line($"<figcaption>Share of right answers on the remaining samples as they were trained on, so lower than RA, which is measured at the end. Good: it rises and levels off; where it still rises in the last pass, more passes would help.</figcaption></figure>");
            }

            EpochTable(page, repair);
        }

        if (repair.Times is { } times && times.ComputeSeconds + times.WaitSeconds + times.WireSeconds + times.UpdateSeconds is > 0 and var whole)
        {
            page.Line($"<p class=\"note\">Of the time of a step, a worker spent {Numbers.Percent(100 * times.ComputeSeconds / whole)} % on computing gradients, {Numbers.Percent(100 * times.WaitSeconds / whole)} % waiting for other workers, {Numbers.Percent(100 * times.WireSeconds / whole)} % on exchanging them and {Numbers.Percent(100 * times.UpdateSeconds / whole)} % on projection and update.</p>");
        }

        page.Line($"</section>");
    }

    private static void EpochTable(Markup page, RepairSeries repair)
    {
        page.Line($"<details><summary>The passes as a table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Pass</th><th scope=\"col\" class=\"figure\">Learning rate</th><th scope=\"col\" class=\"figure\">Loss, remaining</th><th scope=\"col\" class=\"figure\">Loss, forgotten</th><th scope=\"col\" class=\"figure\">Accuracy, %</th><th scope=\"col\" class=\"figure\">Joint steps</th><th scope=\"col\" class=\"figure\">Projected</th></tr></thead><tbody>");
        for (var i = 0; i < repair.Epochs.Count; i++)
        {
            var epoch = repair.Epochs[i];
            var steps = repair.RetainLoss.Skip(i * repair.StepsPerEpoch).Take(repair.StepsPerEpoch).ToArray();
            var forget = repair.ForgetLoss.Skip(i * repair.StepsPerEpoch).Take(repair.StepsPerEpoch).OfType<double>().ToArray();
            page.Line($"<tr><td>{epoch.Epoch}</td><td class=\"figure\">{Numbers.Plain(epoch.LearningRate)}</td><td class=\"figure\">{Numbers.Plain(Mean(steps))}</td><td class=\"figure\">{Numbers.Plain(Mean(forget))}</td><td class=\"figure\">{Numbers.Percent(100 * epoch.RetainAccuracy)}</td><td class=\"figure\">{epoch.JointSteps}</td><td class=\"figure\">{epoch.Conflicts}</td></tr>");
        }

        page.Line($"</tbody></table></div><p class=\"note\">Joint steps use forgotten samples too. Projected are those whose update would have made the model better on them and was turned away from that. Good: any number; none means that the repair never ran against the forgetting.</p></details>");
    }

    private static double? Mean(double[] values) => values.Length > 0 ? values.Average() : null;

    private static void Confidence(Markup page, RunReport report)
    {
        var sets = new (string Name, string Style, SetMeasurement? Before, SetMeasurement? After)[]
        {
            ("forgotten", "forget", report.Before.Forget, report.AfterRepair.Forget),
            ("remaining", "retain", report.Before.Retain, report.AfterRepair.Retain),
            ("test", "test", report.Before.Test, report.AfterRepair.Test),
        }.Where(set => Bins(set.Before) && Bins(set.After)).ToArray();
        if (sets.Length == 0)
        {
            return;
        }

        page.Line($"<section aria-labelledby=\"confidence\"><h2 id=\"confidence\">How sure the model is of the right answer</h2>");
        page.Line($"<p>Before, a model is usually as sure of the samples to forget as of those it keeps. Afterwards the forgotten ones should look like test samples, which it never saw.</p><figure><div class=\"trio\">");
        foreach (var (name, style, before, after) in sets)
        {
            page.Line($"<div>").Add(Plots.Histogram("confidence-" + style, name, style, before!.Confidence, after!.Confidence)).Line($"</div>");
        }

        page.Line($"</div><figcaption>Share of the samples by the model's confidence in their true class: grey outline before, filled after. Heights are on a square-root scale so that small shares can be seen. Good: the filled shape of the forgotten samples resembles that of the test samples, and that of the remaining ones has hardly moved. Does not show: single samples, which may stand out where the shape does not.</figcaption></figure>");
        page.Line($"<details><summary>The histograms as a table</summary><div class=\"scroll\"><table><caption>Samples by confidence.</caption><thead><tr><th scope=\"col\">Confidence</th>");
        foreach (var (name, _, _, _) in sets)
        {
            page.Line($"<th scope=\"col\" class=\"figure\">{name}, before</th><th scope=\"col\" class=\"figure\">{name}, after</th>");
        }

        page.Line($"</tr></thead><tbody>");
        for (var bin = 0; bin < SetMeasurement.ConfidenceBins; bin++)
        {
            page.Add($"<tr><td>{bin / (double)SetMeasurement.ConfidenceBins:0.00} to {(bin + 1) / (double)SetMeasurement.ConfidenceBins:0.00}</td>");
            foreach (var (_, _, before, after) in sets)
            {
                page.Add($"<td class=\"figure\">{Numbers.Count(before!.Confidence[bin])}</td><td class=\"figure\">{Numbers.Count(after!.Confidence[bin])}</td>");
            }

            page.Line($"</tr>");
        }

        page.Line($"</tbody></table></div></details></section>");

        static bool Bins(SetMeasurement? set) => set?.Confidence.Count == SetMeasurement.ConfidenceBins;
    }

    private static void Stages(Markup page, IReadOnlyList<StageTime> stages)
    {
        if (stages.Count == 0)
        {
            return;
        }

        var total = stages.Sum(stage => stage.Seconds);
        page.Line($"<section aria-labelledby=\"stages\"><h2 id=\"stages\">Time taken</h2><figure>");
        var bars = stages.Select(stage => new Plots.Bar(
            stage.Stage,
            stage.Seconds,
            Numbers.Duration(stage.Seconds) + (stage.Samples > 0 ? $", {Numbers.Plain(stage.SamplesPerSecond)}/s" : ""))).ToArray();
        page.Add(Plots.Bars("times", "Wall time of each stage", $"{string.Join("; ", bars.Select(bar => $"{bar.Name}: {bar.Label}"))}.", bars, "plain"));
        page.Line($"<figcaption>Wall time of each stage and samples a second; {Numbers.Duration(total)} in all, up to the last checkpoint where the run was interrupted. Good: repair takes most of it. It says nothing about the result.</figcaption></figure></section>");
    }

    private static void Evidence(Markup page, RunReport report)
    {
        var identity = report.Identity;
        page.Line($"<section aria-labelledby=\"evidence\"><h2 id=\"evidence\">To check this report</h2>");
        page.Line($"<p>The result is a function of the inputs named here: a run of the same inputs gives the same digests, on however many workers.</p>");
        page.Line($"<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Written file</th><th scope=\"col\" class=\"figure\">Size</th><th scope=\"col\">SHA-256</th></tr></thead><tbody>");
        foreach (var artifact in report.Artifacts)
        {
            page.Line($"<tr><td><bdi>{artifact.File}</bdi></td><td class=\"figure\">{Numbers.Bytes(artifact.Bytes)}</td><td class=\"hash\">{artifact.Sha256}</td></tr>");
        }

        page.Line($"</tbody></table></div><h3>Inputs</h3><div class=\"scroll\"><table><tbody>");
        Digest(page, "Model that came in", identity.ModelSha256);
        Digest(page, "Training data", identity.DataDigest);
        Digest(page, "Test data", identity.TestDigest);
        Digest(page, "Forget list", identity.ForgetDigest);
        Digest(page, "Forgotten by earlier runs", identity.TombstoneDigest);
        Digest(page, "Configuration", identity.ConfigurationHash);
        Digest(page, "Plan", identity.PlanHash);
        Digest(page, "Seed", identity.Seed.ToString(CultureInfo.InvariantCulture));
        page.Line($"</tbody></table></div><p class=\"note\">The digests of the lists hold no names, but whoever can guess the ids can check the guess: treat this page as confidential as the lists. The digest of the configuration leaves out where files are cached and how often checkpoints are written, which change no result. Computed with libtorch {report.Environment.LibtorchVersion}; another version may round differently.</p><details><summary>The whole configuration</summary><table><tbody>");
        using var settings = JsonDocument.Parse(ConfigurationJson.Canonical(report.Configuration));
        Settings(page, "", settings.RootElement);
        page.Line($"</tbody></table></details></section>");
    }

    private static void Digest(Markup page, string name, string value)
    {
        if (value.Length > 0)
        {
            page.Line($"<tr><th scope=\"row\">{name}</th><td class=\"hash\">{value}</td></tr>");
        }
    }

    private static void Settings(Markup page, string prefix, JsonElement section)
    {
        foreach (var entry in section.EnumerateObject())
        {
            if (entry.Value.ValueKind == JsonValueKind.Object)
            {
                Settings(page, prefix + entry.Name + ".", entry.Value);
            }
            else
            {
                var value = entry.Value.ValueKind == JsonValueKind.Array
                    ? string.Join(", ", entry.Value.EnumerateArray().Select(item => item.ToString()))
                    : entry.Value.ToString();
                page.Line($"<tr><td class=\"mono\">{prefix}{entry.Name}</td><td class=\"mono\">{value}</td></tr>");
            }
        }
    }

    private static Markup Trusted(string css)
    {
        // The style sheet is ours; Markup has no other way in for text that must not be escaped.
        return new Markup().Add(System.Runtime.CompilerServices.FormattableStringFactory.Create(css.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal)));
    }

    private static string ReadStyle()
    {
        using var stream = typeof(ReportHtml).Assembly.GetManifestResourceStream("report.css")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
