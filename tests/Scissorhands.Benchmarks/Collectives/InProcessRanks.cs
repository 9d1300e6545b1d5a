using System.Diagnostics;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>The same sum by ranks that are threads of one process.</summary>
internal static class InProcessRanks
{
    /// <summary>Milliseconds a round.</summary>
    public static double[] Measure(int ranks, long bytes, int rounds, WireFormat format)
    {
        const int Warmup = 5;
        var groups = InProcessGroup.Create("benchmark", 1, ranks);
        var times = new double[rounds];
        var threads = groups.Select(group => new Thread(() =>
        {
            var values = new float[bytes / sizeof(float)];
            var result = new float[values.Length];
            var tree = new ReductionTree(ranks);
            SubtreeSum[] held = [.. tree.Cover(tree.Deal(group.Rank, ranks)).Select(node => new SubtreeSum(node, values))];
            for (var round = -Warmup; round < rounds; round++)
            {
                group.Barrier(new OperationKey("before", round)).Wait(CancellationToken.None);
                var start = Stopwatch.GetTimestamp();
                group.AllReduce(new OperationKey("sum", round), ranks, held, result, format).Wait(CancellationToken.None);
                group.Barrier(new OperationKey("after", round)).Wait(CancellationToken.None);
                if (round >= 0 && group.Rank == 0)
                {
                    times[round] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                }
            }
        })).ToArray();
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }

        return times;
    }
}
