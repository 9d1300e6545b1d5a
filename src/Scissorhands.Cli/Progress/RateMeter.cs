namespace Scissorhands.Cli.Progress;

/// <summary>Units per second and remaining time of one stage, from when this process first saw it.</summary>
public sealed class RateMeter
{
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly long _first;

    /// <summary>Starts measuring.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="done">Units done already: a resumed stage does not start at zero.</param>
    public RateMeter(TimeProvider time, long done)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _started = time.GetTimestamp();
        _first = done;
    }

    /// <summary>Units per second since the start; 0 until something was done.</summary>
    /// <param name="done">Units done now.</param>
    /// <returns>The rate.</returns>
    public double Rate(long done)
    {
        var seconds = _time.GetElapsedTime(_started).TotalSeconds;
        return seconds <= 0 ? 0 : (done - _first) / seconds;
    }

    /// <summary>Time to go at the present rate.</summary>
    /// <param name="done">Units done now.</param>
    /// <param name="total">Units in all.</param>
    /// <returns>The time, or null while it cannot be told.</returns>
    public TimeSpan? Remaining(long done, long total)
    {
        var rate = Rate(done);
        return rate <= 0 ? null : TimeSpan.FromSeconds(Math.Min(1e6, (total - done) / rate));
    }
}
