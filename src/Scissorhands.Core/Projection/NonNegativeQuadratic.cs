using Scissorhands.Planning;

namespace Scissorhands.Core.Projection;

/// <summary>
/// Minimises 1/2 u'Pu + c'u over u >= 0 for a small positive definite P by Lawson and Hanson's active-set method: variables
/// are freed one at a time, steepest first, and the free ones solved for exactly. Every settled set of free variables has
/// a smaller objective than the one before, so none comes twice and the search ends.
/// </summary>
internal static class NonNegativeQuadratic
{
    /// <summary>Solves.</summary>
    /// <param name="p">P, t x t, symmetric and positive definite.</param>
    /// <param name="c">c, t entries.</param>
    /// <returns>The minimiser.</returns>
    /// <exception cref="RunFailedException">P is not positive definite to working precision.</exception>
    public static double[] Minimise(double[,] p, ReadOnlySpan<double> c)
    {
        var count = c.Length;
        var u = new double[count];
        var free = new List<int>(count);
        var rejected = new bool[count];
        while (true)
        {
            var entering = Steepest(p, c, u, free, rejected);
            if (entering < 0)
            {
                return u;
            }

            free.Add(entering);
            free.Sort();
            var moved = false;
            while (free.Count > 0)
            {
                var solution = SolveFree(p, c, free);
                if (!moved && solution[free.IndexOf(entering)] <= 0)
                {
                    // The slope was rounding error: freeing the variable would not move it upwards.
                    free.Remove(entering);
                    rejected[entering] = true;
                    break;
                }

                if (TrySettle(u, free, solution))
                {
                    Array.Clear(rejected);
                    break;
                }

                moved = true;
            }
        }
    }

    private static int Steepest(double[,] p, ReadOnlySpan<double> c, double[] u, List<int> free, bool[] rejected)
    {
        var best = -1;
        var steepest = 0.0;
        for (var i = 0; i < u.Length; i++)
        {
            if (rejected[i] || free.Contains(i))
            {
                continue;
            }

            double slope = -c[i], magnitude = Math.Abs(c[i]);
            for (var j = 0; j < u.Length; j++)
            {
                slope -= p[i, j] * u[j];
                magnitude += Math.Abs(p[i, j] * u[j]);
            }

            // Slopes are compared in units of what rounding may have left in them.
            var relative = slope / Math.Max(magnitude, double.Epsilon);
            if (relative > 1e-13 && slope > steepest)
            {
                steepest = slope;
                best = i;
            }
        }

        return best;
    }

    // Moves towards the solution until a free variable meets its bound, and binds those that did.
    private static bool TrySettle(double[] u, List<int> free, double[] solution)
    {
        var blocking = -1;
        var step = 1.0;
        for (var i = 0; i < free.Count; i++)
        {
            var current = u[free[i]];
            if (solution[i] <= 0 && (blocking < 0 || current / (current - solution[i]) < step))
            {
                step = current / (current - solution[i]);
                blocking = i;
            }
        }

        for (var i = 0; i < free.Count; i++)
        {
            var current = u[free[i]];
            u[free[i]] = blocking < 0 ? solution[i] : current + (step * (solution[i] - current));
        }

        if (blocking < 0)
        {
            return true;
        }

        // The blocking variable is bound whatever rounding left of it: every call that does not settle frees the search of one.
        u[free[blocking]] = 0;
        for (var i = free.Count - 1; i >= 0; i--)
        {
            if (u[free[i]] <= 0)
            {
                u[free[i]] = 0;
                free.RemoveAt(i);
            }
        }

        return false;
    }

    private static double[] SolveFree(double[,] p, ReadOnlySpan<double> c, List<int> free)
    {
        var count = free.Count;
        var factor = new double[count, count];
        var x = new double[count];
        for (var i = 0; i < count; i++)
        {
            x[i] = -c[free[i]];
            for (var j = 0; j <= i; j++)
            {
                var sum = p[free[i], free[j]];
                for (var k = 0; k < j; k++)
                {
                    sum -= factor[i, k] * factor[j, k];
                }

                if (i != j)
                {
                    factor[i, j] = sum / factor[j, j];
                }
                else if (sum > 0)
                {
                    factor[i, i] = Math.Sqrt(sum);
                }
                else
                {
                    throw new RunFailedException("projection: the Gram matrix with its ridge is not positive definite; raise projection.eps");
                }
            }
        }

        for (var i = 0; i < count; i++)
        {
            for (var k = 0; k < i; k++)
            {
                x[i] -= factor[i, k] * x[k];
            }

            x[i] /= factor[i, i];
        }

        for (var i = count - 1; i >= 0; i--)
        {
            for (var k = i + 1; k < count; k++)
            {
                x[i] -= factor[k, i] * x[k];
            }

            x[i] /= factor[i, i];
        }

        return x;
    }
}
