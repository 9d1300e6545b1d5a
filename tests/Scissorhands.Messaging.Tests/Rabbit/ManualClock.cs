namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A clock that stands still until it is advanced: a test then decides what counts as silence.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly Lock _sync = new();
    private readonly List<Timer> _timers = [];
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        lock (_sync)
        {
            _timers.Add(timer);
        }

        return timer;
    }

    /// <summary>Moves the clock on and calls what is due, once each.</summary>
    internal void Advance(TimeSpan time)
    {
        Timer[] due;
        lock (_sync)
        {
            Volatile.Write(ref _now, _now + time.Ticks);
            due = [.. _timers.Where(timer => timer.IsDue(_now))];
        }

        foreach (var timer in due)
        {
            timer.Callback();
        }
    }

    private sealed class Timer(ManualClock clock, Action callback) : ITimer
    {
        private long _due = long.MaxValue;
        private long _period;

        internal Action Callback => callback;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock.GetTimestamp() + dueTime.Ticks;
            _period = period == Timeout.InfiniteTimeSpan ? 0 : period.Ticks;
            return true;
        }

        public void Dispose()
        {
            lock (clock._sync)
            {
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        internal bool IsDue(long now)
        {
            if (_due > now)
            {
                return false;
            }

            _due = _period == 0 ? long.MaxValue : now + _period;
            return true;
        }
    }
}
