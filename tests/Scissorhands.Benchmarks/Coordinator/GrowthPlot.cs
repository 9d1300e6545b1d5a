using System.Globalization;
using System.Text;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>Draws how a coordinator's figures grow: a column over workers, a column over leases.</summary>
internal static class GrowthPlot
{
    private const double ColumnWidth = 460, Left = 64, Right = 440, RowHeight = 180, Foot = 34;

    private static readonly (string Title, string Colour, Func<SimulationOutcome, double> Value)[] Rows =
    [
        ("99th percentile of a decision (ms)", "#1f6fb2", static o => o.P99Milliseconds),
        ("processor time in all (s)", "#3a8f4a", static o => o.ProcessorSeconds),
        ("peak memory of the process (MiB)", "#b2571f", static o => o.PeakMebibytes),
    ];

    /// <summary>Draws them.</summary>
    public static string Draw(IReadOnlyList<SimulationOutcome> overWorkers, string workersNote, IReadOnlyList<SimulationOutcome> overLeases, string leasesNote)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {2 * ColumnWidth} {(Rows.Length * RowHeight) + Foot}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"Time of a decision, processor time and memory over workers and over leases\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        for (var row = 0; row < Rows.Length; row++)
        {
            var (title, colour, value) = Rows[row];
            var high = Round(overWorkers.Concat(overLeases).Max(value));
            Panel(svg, 0, row * RowHeight, title, high, [.. overWorkers.Select(o => ((double)o.Workers, value(o)))], colour);
            Panel(svg, ColumnWidth, row * RowHeight, title, high, [.. overLeases.Select(o => ((double)o.Leases, value(o)))], colour);
        }

        Note(svg, 0, workersNote);
        Note(svg, ColumnWidth, leasesNote);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Note(StringBuilder svg, double left, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + Right}\" y=\"{(Rows.Length * RowHeight) + 14}\" text-anchor=\"end\" fill=\"#444\">{text}</text>\n");

    private static void Panel(StringBuilder svg, double left, double top, string title, double high, IReadOnlyList<(double X, double Y)> points, string colour)
    {
        var most = points.Max(static p => p.X);
        double X(double x) => left + Left + ((Right - Left) * x / most);
        double Y(double y) => top + RowHeight - 25 - ((RowHeight - 60) * y / high);
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + Left}\" y=\"{top + 20}\" font-weight=\"bold\">{title}</text>\n");
        for (var i = 0; i <= 4; i++)
        {
            var y = high * i / 4;
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{left + Left}\" x2=\"{left + Right}\" y1=\"{Y(y):F1}\" y2=\"{Y(y):F1}\" stroke=\"#ddd\"/><text x=\"{left + Left - 8}\" y=\"{Y(y) + 4:F1}\" text-anchor=\"end\" fill=\"#444\">{y:0.##}</text>\n");
        }

        var last = double.NegativeInfinity;
        foreach (var (x, _) in points)
        {
            // Labels that would touch are left out.
            if (X(x) - last > 34)
            {
                last = X(x);
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(x):F1}\" y=\"{top + RowHeight - 8}\" text-anchor=\"middle\" fill=\"#444\">{x:0}</text>\n");
            }
        }

        svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{string.Join(' ', points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):F1},{Y(p.Y):F1}")))}\"/>\n");
        foreach (var (x, y) in points)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(x):F1}\" cy=\"{Y(y):F1}\" r=\"3\" fill=\"{colour}\"/>\n");
        }
    }

    private static double Round(double value)
    {
        var unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 1e-6))));
        return unit * (value / unit) switch { <= 1 => 1, <= 2 => 2, <= 4 => 4, _ => 10 };
    }
}
