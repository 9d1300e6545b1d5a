namespace Scissorhands.Drill.Intake;

/// <summary>Counts what was accepted, lets others wait for a count, and holds callers at one.</summary>
internal sealed class Progress
{
    private readonly Lock _lock = new();
    private readonly List<(Func<bool> Holds, TaskCompletionSource Reached)> _waiting = [];
    private int _count;
    private int _allowed;

    /// <summary>So many so far.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    /// <summary>One more.</summary>
    public void Add() => Change(() => _count++);

    /// <summary>Callers go on to a count.</summary>
    public void Allow(int count) => Change(() => _allowed = count);

    /// <summary>Completes when there are so many.</summary>
    public Task ReachAsync(int count, CancellationToken ct) => WaitAsync(() => _count >= count, ct);

    /// <summary>Completes when one more may be sent.</summary>
    public Task EnterAsync(CancellationToken ct) => WaitAsync(() => _count < _allowed, ct);

    private void Change(Action change)
    {
        lock (_lock)
        {
            change();
            foreach (var waiting in _waiting.Where(static w => w.Holds()).ToArray())
            {
                waiting.Reached.TrySetResult();
                _waiting.Remove(waiting);
            }
        }
    }

    private Task WaitAsync(Func<bool> holds, CancellationToken ct)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (holds())
            {
                return Task.CompletedTask;
            }

            _waiting.Add((holds, reached));
        }

        return reached.Task.WaitAsync(ct);
    }
}
