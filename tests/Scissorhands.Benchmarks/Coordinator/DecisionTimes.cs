using System.Collections.Concurrent;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>How long questions took to be answered, in milliseconds, within the coordinator.</summary>
internal sealed class DecisionTimes
{
    private readonly ConcurrentQueue<double> _milliseconds = new();

    public void Add(TimeSpan time) => _milliseconds.Enqueue(time.TotalMilliseconds);

    public int Count => _milliseconds.Count;

    /// <summary>Values at shares of the sorted times.</summary>
    public double[] Percentiles(params double[] shares)
    {
        double[] sorted = [.. _milliseconds.Order()];
        return [.. shares.Select(share => sorted.Length == 0 ? 0 : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)])];
    }
}
