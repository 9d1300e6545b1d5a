using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Cluster;

/// <summary>
/// Keeps what ranks tell of repair steps, for those who watch; no decision depends on it. It is stored with whatever else is
/// stored, so that a coordinator that takes over loses the steps since then at most.
/// </summary>
internal sealed class RepairTrace
{
    /// <summary>Most steps that are kept: more cannot be told apart where they are drawn.</summary>
    public const int MostSteps = 240;

    private readonly SortedDictionary<int, StepFigures> _steps;
    private readonly SortedDictionary<int, RankTrace> _ranks;
    private long _stepsOf;
    private long _ranksOf;

    public RepairTrace(RunTrace? stored)
    {
        _steps = new(stored?.Steps.ToDictionary(static s => s.Step) ?? []);
        _ranks = new(stored?.Ranks.ToDictionary(static r => r.Rank) ?? []);
    }

    /// <summary>The trace; null where nothing was told.</summary>
    public RunTrace? Current => _steps.Count == 0 && _ranks.Count == 0 ? null : new RunTrace { Steps = [.. _steps.Values], Ranks = [.. _ranks.Values] };

    public void Note(WorkerProgress progress, string workerId)
    {
        if (progress.Figures is [var first, ..] figures)
        {
            if (progress.Generation != _stepsOf)
            {
                // Steps that another generation does again count instead, and so do those that follow them.
                _stepsOf = progress.Generation;
                Remove(_steps.Keys.Where(step => step >= first.Step));
            }

            foreach (var step in figures)
            {
                _steps[step.Step] = step;
            }

            Thin();
        }

        if (progress.Times is { } times)
        {
            if (progress.Generation != _ranksOf)
            {
                // The ranks of another generation are other workers.
                _ranksOf = progress.Generation;
                _ranks.Clear();
            }

            var former = _ranks.GetValueOrDefault(progress.Rank);
            var told = (former?.Told ?? 0) + 1;
            var mean = former?.Mean ?? default;
            _ranks[progress.Rank] = new RankTrace(
                progress.Rank,
                workerId,
                told,
                new StepTimes(Mean(mean.Compute, times.Compute, told), Mean(mean.Wait, times.Wait, told), Mean(mean.Wire, times.Wire, told), Mean(mean.Update, times.Update, told)),
                times);
        }
    }

    private static double Mean(double former, double value, int count) => former + ((value - former) / count);

    // Every second one goes. The last stays: the curve ends where the repair does.
    private void Thin()
    {
        if (_steps.Count > MostSteps)
        {
            int[] steps = [.. _steps.Keys];
            Remove(steps.Where((_, i) => i % 2 == 1 && i < steps.Length - 1));
        }
    }

    private void Remove(IEnumerable<int> steps)
    {
        foreach (var step in steps.ToArray())
        {
            _steps.Remove(step);
        }
    }
}
