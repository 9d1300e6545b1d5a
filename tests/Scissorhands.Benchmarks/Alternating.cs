using System.Diagnostics;

namespace Scissorhands.Benchmarks;

/// <summary>
/// Times actions in turn, round after round, so that what disturbs the machine disturbs all of them alike. Ratios are
/// taken within a round.
/// </summary>
internal sealed class Alternating
{
    private readonly double[][] _seconds;

    private Alternating(double[][] seconds) => _seconds = seconds;

    /// <summary>Runs every action once untimed, then all of them a number of times in turn.</summary>
    public static Alternating Run(int rounds, params Action[] actions)
    {
        foreach (var action in actions)
        {
            action();
        }

        var seconds = actions.Select(_ => new double[rounds]).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < actions.Length; i++)
            {
                var start = Stopwatch.GetTimestamp();
                actions[i]();
                seconds[i][round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        return new Alternating(seconds);
    }

    /// <summary>Median time of an action in milliseconds.</summary>
    public double Milliseconds(int action) => Math.Round(1000 * Median(_seconds[action]), 3);

    /// <summary>Least and median ratio of an action's time to another's.</summary>
    public (double Min, double Median) Ratio(int action, int reference)
    {
        var ratios = _seconds[action].Zip(_seconds[reference], (a, b) => a / b).ToArray();
        return (Math.Round(ratios.Min(), 3), Math.Round(Median(ratios), 3));
    }

    private static double Median(double[] values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
