using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Html;

/// <summary>The report's plots as inline SVG. Colours come from the page's style, every plot has a title and a description.</summary>
internal static class Plots
{
    private const double Width = 760;

    /// <summary>One curve of a line plot.</summary>
    /// <param name="Name">Name in the legend.</param>
    /// <param name="Style">Class of its colour.</param>
    /// <param name="Points">Points by rising x.</param>
    /// <param name="Gap">Distance in x beyond which two points are not joined.</param>
    public sealed record Curve(string Name, string Style, IReadOnlyList<(double X, double Y)> Points, double Gap);

    /// <summary>One bar of a bar plot.</summary>
    /// <param name="Name">Name at the left.</param>
    /// <param name="Value">Length.</param>
    /// <param name="Label">Text at the bar's end.</param>
    public sealed record Bar(string Name, double Value, string Label);

    /// <summary>One row of the position plot: where a figure in percent stood at each moment.</summary>
    public sealed record Position(string Name, string Meaning, double? Before, double? AfterTrim, double? AfterRepair, double? Retrained);

    /// <summary>Figures in percent on common tracks, so that distance to the retrained model is seen at a glance.</summary>
    public static Markup Positions(string id, IReadOnlyList<Position> rows)
    {
        const double Left = 190, Right = Width - 70, Top = 34, RowHeight = 52;
        var height = Top + (rows.Count * RowHeight) + 30;
        var axis = new Axis(100, Left, Right);
        var words = rows.Select(row =>
            $"{row.Name}: before {Numbers.Percent(row.Before)}, after trim {Numbers.Percent(row.AfterTrim)}, published {Numbers.Percent(row.AfterRepair)}, retrained {Numbers.Percent(row.Retrained)} percent");
        var svg = Open(id, height, "Where the figures stand", string.Join("; ", words) + ".");
        foreach (var tick in axis.Ticks)
        {
            svg.Line($"<line class=\"grid\" x1=\"{axis.At(tick)}\" x2=\"{axis.At(tick)}\" y1=\"{Top}\" y2=\"{Top + (rows.Count * RowHeight)}\"/>");
            svg.Line($"<text class=\"tick\" text-anchor=\"middle\" x=\"{axis.At(tick)}\" y=\"{Top - 10}\">{Axis.Label(tick)} %</text>");
        }

        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows[i];
            var y = Top + (i * RowHeight) + (RowHeight / 2);
            svg.Line($"<text class=\"name\" x=\"0\" y=\"{y - 2}\">{row.Name}</text><text class=\"small\" x=\"0\" y=\"{y + 14}\">{row.Meaning}</text>");
            svg.Line($"<line class=\"track\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{y}\" y2=\"{y}\"/>");
            if (row.AfterRepair is { } after && row.Retrained is { } reference)
            {
                svg.Line($"<line class=\"gap\" x1=\"{axis.At(after)}\" x2=\"{axis.At(reference)}\" y1=\"{y}\" y2=\"{y}\"/>");
                svg.Line($"<text class=\"small\" x=\"{Right + 14}\" y=\"{y + 4}\">gap {Numbers.Percent(Math.Abs(after - reference))}</text>");
            }

            Mark(row.AfterTrim, x => svg.Line($"<path class=\"trimmed\" d=\"M{x - 5} {y - 5}L{x + 5} {y + 5}M{x - 5} {y + 5}L{x + 5} {y - 5}\"/>"));
            Mark(row.Before, x => svg.Line($"<circle class=\"before hollow\" cx=\"{x}\" cy=\"{y}\" r=\"7\"/>"));
            Mark(row.AfterRepair, x => svg.Line($"<circle class=\"after\" cx=\"{x}\" cy=\"{y}\" r=\"7\"/>"));
            Mark(row.Retrained, x => svg.Line($"<path class=\"reference\" d=\"M{x} {y - 10}L{x + 8} {y}L{x} {y + 10}L{x - 8} {y}Z\"/>"));
        }

        var at = height - 9;
        svg.Line($"<circle class=\"before hollow\" cx=\"{Left + 7}\" cy=\"{at - 4}\" r=\"6\"/><text class=\"legend\" x=\"{Left + 20}\" y=\"{at}\">before</text>");
        svg.Line($"<path class=\"trimmed\" d=\"M{Left + 91} {at - 9}l10 10m0 -10l-10 10\"/><text class=\"legend\" x=\"{Left + 108}\" y=\"{at}\">after trim</text>");
        svg.Line($"<circle class=\"after\" cx=\"{Left + 196}\" cy=\"{at - 4}\" r=\"6\"/><text class=\"legend\" x=\"{Left + 209}\" y=\"{at}\">after repair (published)</text>");
        if (rows.Any(row => row.Retrained is not null))
        {
            svg.Line($"<path class=\"reference\" d=\"M{Left + 378} {at - 12}l7 8l-7 8l-7 -8Z\"/><text class=\"legend\" x=\"{Left + 393}\" y=\"{at}\">retrained</text>");
        }

        return svg.Line($"</svg>");

        void Mark(double? value, Func<double, Markup> draw)
        {
            if (value is { } number)
            {
                draw(axis.At(number));
            }
        }
    }

    /// <summary>Horizontal bars with names at the left and labels at the right.</summary>
    public static Markup Bars(string id, string title, string description, IReadOnlyList<Bar> bars, string style)
    {
        const double RowHeight = 22, Top = 4;
        // Names are set in a font of about seven pixels a character; what does not fit is cut in front, where names differ least.
        var longest = Math.Min(34, bars.Max(bar => bar.Name.Length));
        var left = 14 + (longest * 7.1);
        var axis = new Axis(bars.Max(bar => bar.Value), left, Width - 130);
        var svg = Open(id, Top + (bars.Count * RowHeight) + 4, title, description);
        for (var i = 0; i < bars.Count; i++)
        {
            var y = Top + (i * RowHeight);
            var name = bars[i].Name.Length > longest ? "..." + bars[i].Name[^(longest - 3)..] : bars[i].Name;
            var end = axis.At(bars[i].Value);
            svg.Line($"<text class=\"code\" text-anchor=\"end\" x=\"{left - 10}\" y=\"{y + 15}\">{name}</text>");
            svg.Line($"<rect class=\"{style}\" x=\"{left}\" y=\"{y + 4}\" width=\"{Math.Max(end - left, bars[i].Value > 0 ? 1 : 0)}\" height=\"{RowHeight - 8}\" rx=\"2\"/>");
            svg.Line($"<text class=\"small\" x=\"{end + 7}\" y=\"{y + 15}\">{bars[i].Label}</text>");
        }

        svg.Line($"<line class=\"axis\" x1=\"{left}\" x2=\"{left}\" y1=\"{Top}\" y2=\"{Top + (bars.Count * RowHeight)}\"/>");
        return svg.Line($"</svg>");
    }

    /// <summary>Curves over a common x axis from 0. The y axis starts at 0 unless a range of values is given.</summary>
    public static Markup Lines(string id, string title, string description, string xName, string yName, IReadOnlyList<Curve> curves, (double Least, double Most)? range = null)
    {
        const double Height = 250, Left = 52, Right = Width - 12, Top = 36, Bottom = Height - 42;
        var all = curves.SelectMany(curve => curve.Points).ToArray();
        var x = new Axis(all.Max(point => point.X), Left, Right, 8, isExact: true);
        var y = new Axis(range?.Most ?? all.Max(point => point.Y), Bottom, Top, smallest: range?.Least ?? 0);
        var svg = Open(id, Height, title, description);
        foreach (var tick in y.Ticks)
        {
            svg.Line($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{y.At(tick)}\" y2=\"{y.At(tick)}\"/>");
            svg.Line($"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 8}\" y=\"{y.At(tick) + 4}\">{Axis.Label(tick)}</text>");
        }

        foreach (var tick in x.Ticks.Where(tick => tick == Math.Floor(tick)))
        {
            svg.Line($"<text class=\"tick\" text-anchor=\"middle\" x=\"{x.At(tick)}\" y=\"{Bottom + 17}\">{Axis.Label(tick)}</text>");
        }

        svg.Line($"<line class=\"axis\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{Bottom}\" y2=\"{Bottom}\"/>");
        svg.Line($"<text class=\"tick\" text-anchor=\"end\" x=\"{Right}\" y=\"{Height - 6}\">{xName}</text>");
        svg.Line($"<text class=\"tick\" x=\"{Left}\" y=\"14\">{yName}</text>");
        var legend = Right;
        foreach (var curve in curves.Reverse())
        {
            legend -= (curve.Name.Length * 7) + 40;
            svg.Line($"<line class=\"curve {curve.Style}\" x1=\"{legend}\" x2=\"{legend + 22}\" y1=\"10\" y2=\"10\"/><text class=\"legend\" x=\"{legend + 28}\" y=\"14\">{curve.Name}</text>");
        }

        foreach (var curve in curves)
        {
            Draw(svg, curve, x, y);
        }

        return svg.Line($"</svg>");
    }

    /// <summary>A confidence histogram before (outline) and after (filled), as shares of the set on a square-root scale.</summary>
    public static Markup Histogram(string id, string set, string style, IReadOnlyList<long> before, IReadOnlyList<long> after)
    {
        const double PlotWidth = 250, Height = 216, Left = 40, Right = PlotWidth - 2, Top = 30, Bottom = Height - 40;
        var shares = (Before: Share(before), After: Share(after));
        var description = $"{set}: {Percent(shares.Before[^1])} of the samples had a confidence above 95 percent before, {Percent(shares.After[^1])} after.";
        var svg = Open(id, Height, $"Confidence in the true class, {set}", description, PlotWidth);
        foreach (var tick in (double[])[0, 0.01, 0.05, 0.2, 0.5, 1])
        {
            svg.Line($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{Y(tick)}\" y2=\"{Y(tick)}\"/>");
            svg.Line($"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 6}\" y=\"{Y(tick) + 4}\">{100 * tick} %</text>");
        }

        var step = (Right - Left) / SetMeasurement.ConfidenceBins;
        var outline = new Markup();
        outline.Add($"M{Left} {Bottom}");
        for (var bin = 0; bin < SetMeasurement.ConfidenceBins; bin++)
        {
            var x = Left + (bin * step);
            svg.Line($"<rect class=\"{style}\" x=\"{x + 0.75}\" y=\"{Y(shares.After[bin])}\" width=\"{step - 1.5}\" height=\"{Bottom - Y(shares.After[bin])}\"/>");
            outline.Add($"V{Y(shares.Before[bin])}H{x + step}");
        }

        svg.Line($"<path class=\"before outline\" d=\"{outline.Add($"V{Bottom}")}\"/>");
        svg.Line($"<line class=\"axis\" x1=\"{Left}\" x2=\"{Right}\" y1=\"{Bottom}\" y2=\"{Bottom}\"/>");
        foreach (var tick in (double[])[0, 0.5, 1])
        {
            svg.Line($"<text class=\"tick\" text-anchor=\"middle\" x=\"{Left + (tick * (Right - Left))}\" y=\"{Bottom + 16}\">{tick}</text>");
        }

        svg.Line($"<text class=\"name\" x=\"{0}\" y=\"16\">{set}</text>");
        svg.Line($"<line class=\"before outline\" x1=\"{Right - 122}\" x2=\"{Right - 108}\" y1=\"12\" y2=\"12\"/><text class=\"legend\" x=\"{Right - 104}\" y=\"16\">before</text>");
        svg.Line($"<rect class=\"{style}\" x=\"{Right - 50}\" y=\"6\" width=\"14\" height=\"11\"/><text class=\"legend\" x=\"{Right - 31}\" y=\"16\">after</text>");
        svg.Line($"<text class=\"tick\" text-anchor=\"end\" x=\"{Right}\" y=\"{Height - 5}\">confidence in the true class</text>");
        return svg.Line($"</svg>");

        static double Y(double share) => Bottom - ((Bottom - Top) * Math.Sqrt(share));
    }

    private static void Draw(Markup svg, Curve curve, Axis x, Axis y)
    {
        var path = new Markup();
        var runs = 0;
        for (var i = 0; i < curve.Points.Count; i++)
        {
            var joined = i > 0 && curve.Points[i].X - curve.Points[i - 1].X <= curve.Gap;
            runs += joined ? 0 : 1;
            path.Add($"{(joined ? "L" : "M")}{x.At(curve.Points[i].X)} {y.At(curve.Points[i].Y)}");
        }

        svg.Line($"<path class=\"curve {curve.Style}\" d=\"{path}\"/>");

        // Points that stand alone, or so few that they can all be seen, get a dot.
        if (curve.Points.Count <= 40 || runs > curve.Points.Count / 2)
        {
            foreach (var (px, py) in curve.Points)
            {
                svg.Line($"<circle class=\"dot {curve.Style}\" cx=\"{x.At(px)}\" cy=\"{y.At(py)}\" r=\"3\"/>");
            }
        }
    }

    private static Markup Open(string id, double height, string title, string description, double width = Width)
    {
        return new Markup().Line(
            $"<svg id=\"{id}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" viewBox=\"0 0 {width} {height}\"><title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>");
    }

    private static double[] Share(IReadOnlyList<long> bins)
    {
        var sum = Math.Max(1, bins.Sum());
        return bins.Select(bin => bin / (double)sum).ToArray();
    }

    private static string Percent(double share) => Numbers.Rough(100 * share) + " percent";
}
