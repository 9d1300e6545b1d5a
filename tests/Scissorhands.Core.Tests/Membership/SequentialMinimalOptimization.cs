namespace Scissorhands.Core.Tests.Membership;

/// <summary>
/// The textbook solver of the same problem, on the full kernel matrix, with the second-order working set of Fan, Chen and
/// Lin (JMLR 2005): slow, and independent of everything the product's solver exploits.
/// </summary>
internal static class SequentialMinimalOptimization
{
    /// <summary>Trains; the result gives decision values.</summary>
    public static Func<double, double> Train(float[] positives, float[] negatives, double penalty, double gamma, double tolerance)
    {
        double[] x = [.. positives.Select(v => (double)v), .. negatives.Select(v => (double)v)];
        double[] y = [.. positives.Select(_ => 1.0), .. negatives.Select(_ => -1.0)];
        var count = x.Length;
        double Kernel(double a, double b) => Math.Exp(-gamma * (a - b) * (a - b));
        var alpha = new double[count];
        var gradient = Enumerable.Repeat(-1.0, count).ToArray();
        bool Up(int t) => y[t] > 0 ? alpha[t] < penalty : alpha[t] > 0;
        bool Low(int t) => y[t] > 0 ? alpha[t] > 0 : alpha[t] < penalty;
        for (var iteration = 0; iteration < 5_000_000; iteration++)
        {
            var i = -1;
            for (var t = 0; t < count; t++)
            {
                if (Up(t) && (i < 0 || -y[t] * gradient[t] > -y[i] * gradient[i]))
                {
                    i = t;
                }
            }

            var j = -1;
            double best = 0, least = double.PositiveInfinity;
            for (var t = 0; t < count && i >= 0; t++)
            {
                if (!Low(t))
                {
                    continue;
                }

                least = Math.Min(least, -y[t] * gradient[t]);
                var violation = (-y[i] * gradient[i]) + (y[t] * gradient[t]);
                if (violation > 0)
                {
                    var curvature = Math.Max(2 - (2 * Kernel(x[i], x[t])), 1e-12);
                    if (j < 0 || -violation * violation / curvature < best)
                    {
                        best = -violation * violation / curvature;
                        j = t;
                    }
                }
            }

            if (i < 0 || j < 0 || (-y[i] * gradient[i]) - least < tolerance)
            {
                break;
            }

            var step = ((-y[i] * gradient[i]) + (y[j] * gradient[j])) / Math.Max(2 - (2 * Kernel(x[i], x[j])), 1e-12);
            step = Math.Min(step, y[i] > 0 ? penalty - alpha[i] : alpha[i]);
            step = Math.Min(step, y[j] > 0 ? alpha[j] : penalty - alpha[j]);
            alpha[i] = Math.Clamp(alpha[i] + (y[i] * step), 0, penalty);
            alpha[j] = Math.Clamp(alpha[j] - (y[j] * step), 0, penalty);
            for (var t = 0; t < count; t++)
            {
                gradient[t] += y[t] * step * (Kernel(x[t], x[i]) - Kernel(x[t], x[j]));
            }
        }

        // Rounding leaves multipliers that belong at a bound a few ulps inside it.
        var rounding = 1e-9 * penalty;
        double low = double.NegativeInfinity, high = double.PositiveInfinity, free = 0;
        var frees = 0;
        for (var t = 0; t < count; t++)
        {
            var bias = -y[t] * gradient[t];
            if (alpha[t] > rounding && alpha[t] < penalty - rounding)
            {
                free += bias;
                frees++;
            }
            else if (y[t] > 0 == alpha[t] <= rounding)
            {
                low = Math.Max(low, bias);
            }
            else
            {
                high = Math.Min(high, bias);
            }
        }

        var intercept = frees > 0 ? free / frees : (low + high) / 2;
        return point => intercept + Enumerable.Range(0, count).Sum(t => alpha[t] * y[t] * Kernel(x[t], point));
    }
}
