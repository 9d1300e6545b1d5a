using System.Diagnostics.Metrics;
using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>Listens to what groups and links of this process drop.</summary>
internal sealed class DroppedFrames : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _sync = new();
    private readonly Dictionary<string, long> _counts = [];
    private readonly List<(string Reason, long Count, TaskCompletionSource Reached)> _awaited = [];

    internal DroppedFrames()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == CollectiveMeters.Name && instrument.Name == "scissorhands.collective.frames.dropped")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, count, tags, _) => Count((string)tags[0].Value!, count));
        _listener.Start();
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>Frames dropped so far for a reason.</summary>
    internal long For(string reason)
    {
        lock (_sync)
        {
            return _counts.GetValueOrDefault(reason);
        }
    }

    /// <summary>Completes when so many frames have been dropped for a reason.</summary>
    internal Task Reach(string reason, long count)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_sync)
        {
            _awaited.Add((reason, count, reached));
        }

        Count(reason, 0);
        return reached.Task;
    }

    private void Count(string reason, long count)
    {
        lock (_sync)
        {
            var total = _counts[reason] = _counts.GetValueOrDefault(reason) + count;
            foreach (var (_, _, reached) in _awaited.Where(a => a.Reason == reason && a.Count <= total))
            {
                reached.TrySetResult();
            }
        }
    }
}
