namespace Scissorhands.Reporting.Html;

/// <summary>Reduces long series to what a plot can show.</summary>
internal static class Thinning
{
    /// <summary>Most points of a plotted series.</summary>
    public const int MaximumPoints = 400;

    /// <summary>
    /// Means over equal runs of consecutive entries, so that no more than <see cref="MaximumPoints"/> remain. Entries that
    /// are missing or not finite are left out; a run without any gives no point.
    /// </summary>
    /// <param name="values">One entry a step.</param>
    /// <returns>Points (the middle of the run's steps from 1, mean) and how many steps a run has.</returns>
    public static (IReadOnlyList<(double X, double Y)> Points, int Run) Mean(IReadOnlyList<double?> values)
    {
        var run = Math.Max(1, (values.Count + MaximumPoints - 1) / MaximumPoints);
        var points = new List<(double X, double Y)>();
        for (var start = 0; start < values.Count; start += run)
        {
            var end = Math.Min(values.Count, start + run);
            double sum = 0;
            double places = 0;
            var count = 0;
            for (var i = start; i < end; i++)
            {
                if (values[i] is { } value && double.IsFinite(value))
                {
                    sum += value;
                    places += i + 1;
                    count++;
                }
            }

            if (count > 0)
            {
                points.Add((places / count, sum / count));
            }
        }

        return (points, run);
    }
}
