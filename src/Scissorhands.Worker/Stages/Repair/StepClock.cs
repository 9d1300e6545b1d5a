using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Where the time of a repair step goes on this worker.</summary>
internal sealed class StepClock
{
    private readonly TimeProvider _time = TimeProvider.System;
    private long _began;
    private TimeSpan _computed;
    private TimeSpan _waited;
    private TimeSpan _blocked;

    /// <summary>A step begins.</summary>
    public void Begin()
    {
        _began = _time.GetTimestamp();
        _computed = _waited = _blocked = TimeSpan.Zero;
    }

    /// <summary>The slices held have been computed.</summary>
    public void Computed() => _computed = _time.GetElapsedTime(_began) - _blocked;

    /// <summary>Waits for an exchange.</summary>
    /// <param name="operation">The exchange.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public void Wait(ICollectiveOperation operation, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        operation.Wait(cancellationToken);
        var blocked = _time.GetElapsedTime(began);
        _blocked += blocked;
        _waited += operation.Waited < blocked ? operation.Waited : blocked;
    }

    /// <summary>The step has ended.</summary>
    /// <returns>Where its time went.</returns>
    public StepTimes End() => new(
        _computed.TotalSeconds,
        _waited.TotalSeconds,
        (_blocked - _waited).TotalSeconds,
        (_time.GetElapsedTime(_began) - _computed - _blocked).TotalSeconds);
}
