using Scissorhands.Planning;

namespace Scissorhands.Core.Membership;

/// <summary>
/// A C-support-vector classifier with kernel exp(-gamma (x - y)^2) on one feature, solved to optimality. Two properties
/// of the problem replace the usual decomposition methods, which take minutes on heavily overlapping classes:
/// equal points of one class enter the dual only through the sum of their multipliers and so become one point with as
/// many times the penalty; and on an interval of length one the kernel is, to the last bit of float64, a sum of some
/// fifteen products (the Taylor series of exp(2 gamma x y)), so that a primal-dual interior-point method (Mehrotra's
/// predictor-corrector, with the low-rank normal equations of Fine and Scheinberg, JMLR 2001) takes a few dozen passes
/// over the points. Every sum runs in the order of the sorted points: equal inputs give equal bits.
/// </summary>
public sealed class RbfClassifier
{
    /// <summary>Decision values within this of zero lie on the boundary.</summary>
    public const double DecisionTolerance = 1e-9;

    private const int MaximumFeatures = 128;
    private const int MaximumIterations = 100;
    private const int PatienceIterations = 10;

    // Duality gap relative to the objective, violation of the margins, and imbalance relative to the sum of the penalties.
    private const double GapTolerance = 1e-11;
    private const double DualTolerance = 1e-6;
    private const double BalanceTolerance = 1e-8;

    // In multiples of the tolerances: no looser than the customary 1e-3 of decomposition methods.
    private const double AcceptableDistance = 1000;

    private const double LeastPivot = 0.1;

    private readonly double _center;
    private readonly double _gamma;
    private readonly double[] _weights;
    private readonly double _bias;

    private RbfClassifier(double center, double gamma, double[] weights, double bias, int iterations)
    {
        _center = center;
        _gamma = gamma;
        _weights = weights;
        _bias = bias;
        Iterations = iterations;
    }

    /// <summary>Interior-point steps the training took.</summary>
    public int Iterations { get; }

    /// <summary>Trains.</summary>
    /// <param name="positives">Points of the class with positive decision values; finite.</param>
    /// <param name="negatives">Points of the other class; finite.</param>
    /// <param name="penalty">C.</param>
    /// <param name="gamma">The kernel's gamma.</param>
    /// <returns>The classifier.</returns>
    /// <exception cref="RunFailedException">The points span too wide an interval, or no optimum is reached.</exception>
    public static RbfClassifier Train(ReadOnlySpan<float> positives, ReadOnlySpan<float> negatives, double penalty, double gamma)
    {
        var points = new List<(float X, int Label, int Count)>();
        Merge(positives, 1, points);
        Merge(negatives, -1, points);
        var least = (double)points.Min(p => p.X);
        var greatest = (double)points.Max(p => p.X);
        var center = (least + greatest) / 2;
        var features = Features((greatest - least) / 2, gamma);
        var count = points.Count;
        var phi = new double[count * features];
        var y = new double[count];
        var c = new double[count];
        for (var i = 0; i < count; i++)
        {
            var (x, label, times) = points[i];
            y[i] = label;
            c[i] = penalty * times;
            Expand(x - center, gamma, phi.AsSpan(i * features, features));
        }

        var solver = new InteriorPoint(phi, y, c, features);
        solver.Solve();
        var bias = Bias(solver.Weights, phi, points, features);
        return new RbfClassifier(center, gamma, solver.Weights, bias, solver.Iterations);
    }

    /// <summary>The decision value of a point.</summary>
    /// <param name="x">The point.</param>
    /// <returns>Positive on the side of the positives.</returns>
    public double Decide(double x)
    {
        Span<double> row = stackalloc double[_weights.Length];
        Expand(x - _center, _gamma, row);
        return Dot(row, _weights) + _bias;
    }

    private static void Merge(ReadOnlySpan<float> values, int label, List<(float X, int Label, int Count)> points)
    {
        var sorted = values.ToArray();
        Array.Sort(sorted);
        for (var i = 0; i < sorted.Length;)
        {
            var end = i + 1;
            while (end < sorted.Length && sorted[end] == sorted[i])
            {
                end++;
            }

            points.Add((sorted[i], label, end - i));
            i = end;
        }
    }

    // Terms of the series of exp(2 gamma x y), |x|, |y| <= radius, until what follows is below the rounding of 1.
    private static int Features(double radius, double gamma)
    {
        var ratio = 2 * gamma * radius * radius;
        var term = 1.0;
        for (var count = 1; count <= MaximumFeatures; count++)
        {
            term *= ratio / count;
            if (term < 1e-17 && ratio < count)
            {
                return count;
            }
        }

        throw new RunFailedException($"membership attack: confidences span {2 * radius}; they should lie in [0,1]");
    }

    private static void Expand(double x, double gamma, Span<double> features)
    {
        var value = Math.Exp(-gamma * x * x);
        for (var m = 0; m < features.Length; m++)
        {
            features[m] = value;
            value *= x * Math.Sqrt(2 * gamma / (m + 1));
        }
    }

    // For the optimal w the objective is piecewise linear in the bias, with a kink of slope c_i where point i meets its
    // margin. Its minimum is where the slope, -(penalties of the positives) to the left of all kinks, reaches zero: a kink,
    // or, where the points up to it count exactly as many as the positives, all from this kink to the next. The middle of
    // those is taken, as decomposition methods do. Counting decides, not how close a multiplier is to its bound.
    private static double Bias(double[] weights, double[] phi, List<(float X, int Label, int Count)> points, int features)
    {
        var kinks = new double[points.Count];
        var counts = new int[points.Count];
        var toPass = 0L;
        for (var i = 0; i < kinks.Length; i++)
        {
            kinks[i] = points[i].Label - Dot(phi.AsSpan(i * features, features), weights);
            counts[i] = points[i].Count;
            toPass += points[i].Label > 0 ? points[i].Count : 0;
        }

        Array.Sort(kinks, counts);
        var last = 0;
        while ((toPass -= counts[last]) > 0)
        {
            last++;
        }

        return toPass < 0 ? kinks[last] : (kinks[last] + kinks[last + 1]) / 2;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    /// <summary>
    /// Minimises 1/2 |w|^2 - 1'a, w = sum a_i y_i phi_i, over y'a = 0, 0 &lt;= a &lt;= c. With the multiplier b of the equality
    /// and lambda, mu of the bounds, each Newton step weighs the points with e = 1 / (lambda / a + mu / (c - a)). Taking
    /// the bias out leaves the equations (I + sum e_i p_i p_i') dw = r for the features p_i = phi_i - (mean weighted by e):
    /// a sum of positive terms, so that nothing cancels where the weights span twenty orders of magnitude.
    /// </summary>
    private sealed class InteriorPoint
    {
        private readonly double[] _phi;
        private readonly double[] _y;
        private readonly double[] _c;
        private readonly int _features;
        private readonly double[] _alpha;
        private readonly double[] _slack;
        private readonly double[] _lambda;
        private readonly double[] _mu;
        private readonly double[] _stepAlpha;
        private readonly double[] _stepLambda;
        private readonly double[] _stepMu;
        private readonly double[] _weighing;
        private readonly double[] _mean;
        private readonly double[] _centered;
        private readonly double[] _matrix;
        private readonly double[] _step;
        private double _totalWeighing;
        private double _bias;
        private double _stepBias;

        public InteriorPoint(double[] phi, double[] y, double[] c, int features)
        {
            var count = y.Length;
            (_phi, _y, _c, _features) = (phi, y, c, features);
            _alpha = new double[count];
            _slack = new double[count];
            _lambda = new double[count];
            _mu = new double[count];
            _stepAlpha = new double[count];
            _stepLambda = new double[count];
            _stepMu = new double[count];
            _weighing = new double[count];
            _mean = new double[features];
            _centered = new double[count * features];
            _matrix = new double[features * features];
            _step = new double[features];
            Weights = new double[features];
        }

        public double[] Weights { get; }

        public int Iterations { get; private set; }

        public void Solve()
        {
            var count = _y.Length;
            for (var i = 0; i < count; i++)
            {
                _alpha[i] = _c[i] / 2;
                _slack[i] = _c[i] / 2;
                _lambda[i] = 1;
                _mu[i] = 1;
            }

            var best = double.PositiveInfinity;
            var bestIteration = 0;
            var bestAlpha = new double[count];
            while (true)
            {
                var balance = Refresh();
                double gap = 0, sum = 0, scale = 0, worst = 0;
                for (var i = 0; i < count; i++)
                {
                    gap += (_alpha[i] * _lambda[i]) + (_slack[i] * _mu[i]);
                    sum += _alpha[i];
                    scale += _c[i];
                    worst = Math.Max(worst, Math.Abs(DualResidual(i)));
                }

                // How far each condition of optimality is from its tolerance, at worst.
                var objective = (0.5 * Dot(Weights, Weights)) - sum;
                var distance = Math.Max(Math.Max(gap / (GapTolerance * (1 + Math.Abs(objective))), worst / DualTolerance), Math.Abs(balance) / (BalanceTolerance * scale));
                if (distance < best)
                {
                    best = distance;
                    bestIteration = Iterations;
                    _alpha.CopyTo(bestAlpha, 0);
                }

                if (best <= 1 || Iterations == MaximumIterations || (best <= AcceptableDistance && Iterations - bestIteration >= PatienceIterations))
                {
                    break;
                }

                Iterations++;
                var mean = gap / (2 * count);
                Factorise();
                Direction(balance, 0, corrected: false);
                var reach = Math.Min(1, Reach());
                double reached = 0;
                for (var i = 0; i < count; i++)
                {
                    reached += ((_alpha[i] + (reach * _stepAlpha[i])) * (_lambda[i] + (reach * _stepLambda[i])))
                        + ((_slack[i] - (reach * _stepAlpha[i])) * (_mu[i] + (reach * _stepMu[i])));
                }

                var centering = Math.Pow(reached / gap, 3);
                Direction(balance, centering * mean, corrected: true);
                var length = Math.Min(1, 0.995 * Reach());
                for (var i = 0; i < count; i++)
                {
                    _alpha[i] += length * _stepAlpha[i];
                    _slack[i] -= length * _stepAlpha[i];
                    _lambda[i] += length * _stepLambda[i];
                    _mu[i] += length * _stepMu[i];
                }

                _bias += length * _stepBias;
            }

            // Where rounding keeps the tolerances out of reach, steps past the best point only lose precision.
            if (!(best <= AcceptableDistance))
            {
                throw new RunFailedException($"membership attack: no optimum after {Iterations} steps ({best} times the tolerance)");
            }

            bestAlpha.CopyTo(_alpha, 0);
            Refresh();
        }

        private double DualResidual(int i) =>
            (_y[i] * (Dot(_phi.AsSpan(i * _features, _features), Weights) + _bias)) - 1 - _lambda[i] + _mu[i];

        // Recomputes w, so that rounding does not build up over the steps; returns y'a.
        private double Refresh()
        {
            Array.Clear(Weights);
            var balance = 0.0;
            for (var i = 0; i < _y.Length; i++)
            {
                balance += _y[i] * _alpha[i];
                var row = _phi.AsSpan(i * _features, _features);
                for (var m = 0; m < row.Length; m++)
                {
                    Weights[m] += _alpha[i] * _y[i] * row[m];
                }
            }

            return balance;
        }

        private void Factorise()
        {
            Array.Clear(_mean);
            _totalWeighing = 0;
            for (var i = 0; i < _y.Length; i++)
            {
                _weighing[i] = 1 / ((_lambda[i] / _alpha[i]) + (_mu[i] / _slack[i]));
                _totalWeighing += _weighing[i];
                var row = _phi.AsSpan(i * _features, _features);
                for (var m = 0; m < row.Length; m++)
                {
                    _mean[m] += _weighing[i] * row[m];
                }
            }

            for (var m = 0; m < _features; m++)
            {
                _mean[m] /= _totalWeighing;
            }

            Array.Clear(_matrix);
            for (var i = 0; i < _y.Length; i++)
            {
                var row = _phi.AsSpan(i * _features, _features);
                var centered = _centered.AsSpan(i * _features, _features);
                for (var m = 0; m < row.Length; m++)
                {
                    centered[m] = row[m] - _mean[m];
                }

                for (var m = 0; m < row.Length; m++)
                {
                    var factor = _weighing[i] * centered[m];
                    var target = _matrix.AsSpan(m * _features, m + 1);
                    for (var column = 0; column < target.Length; column++)
                    {
                        target[column] += factor * centered[column];
                    }
                }
            }

            for (var row = 0; row < _features; row++)
            {
                _matrix[(row * _features) + row] += 1;
                for (var column = 0; column <= row; column++)
                {
                    var sum = _matrix[(row * _features) + column];
                    for (var k = 0; k < column; k++)
                    {
                        sum -= _matrix[(row * _features) + k] * _matrix[(column * _features) + k];
                    }

                    // Every pivot is at least 1 but for rounding.
                    _matrix[(row * _features) + column] = row == column ? Math.Sqrt(Math.Max(sum, LeastPivot)) : sum / _matrix[(column * _features) + column];
                }
            }
        }

        private void Direction(double balance, double target, bool corrected)
        {
            for (var m = 0; m < _features; m++)
            {
                _step[m] = -balance * _mean[m];
            }

            var shift = balance;
            for (var i = 0; i < _y.Length; i++)
            {
                var lower = target - (_alpha[i] * _lambda[i]);
                var upper = target - (_slack[i] * _mu[i]);
                if (corrected)
                {
                    lower -= _stepAlpha[i] * _stepLambda[i];
                    upper += _stepAlpha[i] * _stepMu[i];
                }

                // Kept here until the step of alpha is known: the right-hand sides of the complementarity equations.
                _stepLambda[i] = lower;
                _stepMu[i] = upper;
                var right = (lower / _alpha[i]) - (upper / _slack[i]) - DualResidual(i);
                _stepAlpha[i] = right;
                var weighed = _weighing[i] * _y[i] * right;
                shift += weighed;
                var row = _centered.AsSpan(i * _features, _features);
                for (var m = 0; m < row.Length; m++)
                {
                    _step[m] += weighed * row[m];
                }
            }

            SolveFactorised(_step);
            shift /= _totalWeighing;
            _stepBias = shift - Dot(_mean, _step);
            for (var i = 0; i < _y.Length; i++)
            {
                var moved = Dot(_centered.AsSpan(i * _features, _features), _step) + shift;
                var change = _weighing[i] * (_stepAlpha[i] - (_y[i] * moved));
                _stepAlpha[i] = change;
                _stepLambda[i] = (_stepLambda[i] - (_lambda[i] * change)) / _alpha[i];
                _stepMu[i] = (_stepMu[i] + (_mu[i] * change)) / _slack[i];
            }
        }

        private void SolveFactorised(double[] x)
        {
            for (var row = 0; row < x.Length; row++)
            {
                for (var k = 0; k < row; k++)
                {
                    x[row] -= _matrix[(row * _features) + k] * x[k];
                }

                x[row] /= _matrix[(row * _features) + row];
            }

            for (var row = x.Length - 1; row >= 0; row--)
            {
                for (var k = row + 1; k < x.Length; k++)
                {
                    x[row] -= _matrix[(k * _features) + row] * x[k];
                }

                x[row] /= _matrix[(row * _features) + row];
            }
        }

        // How far along the direction the first variable becomes zero.
        private double Reach()
        {
            var reach = double.PositiveInfinity;
            for (var i = 0; i < _y.Length; i++)
            {
                reach = Math.Min(reach, _stepAlpha[i] < 0 ? -_alpha[i] / _stepAlpha[i] : double.PositiveInfinity);
                reach = Math.Min(reach, _stepAlpha[i] > 0 ? _slack[i] / _stepAlpha[i] : double.PositiveInfinity);
                reach = Math.Min(reach, _stepLambda[i] < 0 ? -_lambda[i] / _stepLambda[i] : double.PositiveInfinity);
                reach = Math.Min(reach, _stepMu[i] < 0 ? -_mu[i] / _stepMu[i] : double.PositiveInfinity);
            }

            return reach;
        }
    }
}
