namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// The steps of one purpose that have been used. Held as runs of consecutive steps, of which the oldest are joined once
/// there are too many: memory does not grow with the number of operations, and a step in a gap between joined runs
/// counts as used.
/// </summary>
internal sealed class StepSet
{
    /// <summary>Most runs kept apart.</summary>
    internal const int MaxRuns = 64;

    private readonly List<(long First, long Last)> _runs = [];

    /// <summary>Number of runs kept.</summary>
    internal int Runs => _runs.Count;

    /// <summary>Whether the step has been used.</summary>
    internal bool Contains(long step)
    {
        var i = Find(step);
        return i >= 0 && step <= _runs[i].Last;
    }

    /// <summary>Marks a step as used.</summary>
    internal void Add(long step)
    {
        var i = Find(step);
        if (i >= 0 && step <= _runs[i].Last)
        {
            return;
        }

        var joinsLeft = i >= 0 && _runs[i].Last == step - 1;
        var joinsRight = i + 1 < _runs.Count && _runs[i + 1].First == step + 1;
        if (joinsLeft && joinsRight)
        {
            _runs[i] = (_runs[i].First, _runs[i + 1].Last);
            _runs.RemoveAt(i + 1);
        }
        else if (joinsLeft)
        {
            _runs[i] = (_runs[i].First, step);
        }
        else if (joinsRight)
        {
            _runs[i + 1] = (step, _runs[i + 1].Last);
        }
        else
        {
            _runs.Insert(i + 1, (step, step));
            if (_runs.Count > MaxRuns)
            {
                _runs[0] = (_runs[0].First, _runs[1].Last);
                _runs.RemoveAt(1);
            }
        }
    }

    /// <summary>Index of the last run that starts at or before the step, or -1.</summary>
    private int Find(long step)
    {
        // Operations come nearly in order: the run sought is almost always the last.
        var i = _runs.Count - 1;
        while (i >= 0 && _runs[i].First > step)
        {
            i--;
        }

        return i;
    }
}
