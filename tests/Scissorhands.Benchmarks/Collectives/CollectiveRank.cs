using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>
/// One rank in a process of its own. Says its queue, hears everybody's, then measures the cases it is told: each round is a
/// barrier, the operation, a barrier, as in the yardstick's script.
/// </summary>
internal static class CollectiveRank
{
    /// <summary>Runs: BROKER RANK RANKS.</summary>
    public static int Run(string[] args)
    {
        var rank = int.Parse(args[1], CultureInfo.InvariantCulture);
        RunAsync(new Uri(args[0]), rank, int.Parse(args[2], CultureInfo.InvariantCulture)).GetAwaiter().GetResult();
        return 0;
    }

    private static async Task RunAsync(Uri broker, int rank, int ranks)
    {
        await using var link = await RabbitDataLink.ConnectAsync(broker, $"rank {rank}", CancellationToken.None);
        Console.WriteLine($"queue {link.QueueName}");
        var queues = Console.ReadLine()!.Split(' ');
        var generation = 0L;
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            var bytes = long.Parse(words[1], CultureInfo.InvariantCulture);
            var rounds = int.Parse(words[2], CultureInfo.InvariantCulture);
            var key = words[0] == "plain" ? [] : SHA256.HashData("a key for measurements"u8);
            var options = words.Length > 3 ? new CollectiveOptions { ChunkBytes = int.Parse(words[3], CultureInfo.InvariantCulture) << 10 } : null;
            await using var group = new RabbitCollectiveGroup(link, "benchmark", ++generation, rank, queues, key, options);
            await using var bare = words[0] == "bare" && ranks > 1 ? await BareExchange.ConnectAsync(broker, rank, ranks) : null;
            var times = await Task.Factory.StartNew(
                () => Measure(group, words[0], bytes, rounds, bare),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
            var process = Process.GetCurrentProcess();
            Console.WriteLine(FormattableString.Invariant($"times {process.TotalProcessorTime.TotalMilliseconds:f0} {process.PeakWorkingSet64 >> 20} {string.Join(' ', times.Select(static t => t.ToString("f3", CultureInfo.InvariantCulture)))}"));
        }
    }

    /// <summary>Milliseconds a round.</summary>
    private static double[] Measure(ICollectiveGroup group, string mode, long bytes, int rounds, BareExchange? bare)
    {
        var length = (int)(bytes / sizeof(float));
        var values = new float[length];
        new Random(group.Rank).NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(0.001 * i % 1);
        }

        var raw = bare is null ? [] : System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

        // A mask of every tenth element: only those travel, without their indices.
        var masked = mode == "masked" ? Enumerable.Range(0, length / 10).Select(static i => i * 10).ToArray() : [];
        var packed = new float[masked.Length];
        var format = mode switch
        {
            "bf16" => WireFormat.Bf16,
            "int8" => WireFormat.Int8,
            _ => WireFormat.Fp32,
        };
        var result = new float[length];
        var counts = new long[mode == "counts" ? bytes / sizeof(long) : 0];
        var tree = new ReductionTree(group.Size);
        SubtreeSum[] held = [.. tree.Cover(tree.Deal(group.Rank, group.Size)).Select(node => new SubtreeSum(node, mode == "masked" ? packed : values))];
        var times = new double[rounds];
        for (var round = bytes > 64 << 20 ? -1 : -5; round < rounds; round++)
        {
            group.Barrier(new OperationKey("before", round)).Wait(CancellationToken.None);
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < masked.Length; i++)
            {
                packed[i] = values[masked[i]];
            }

            if (bare is not null)
            {
                bare.RunAsync(raw).GetAwaiter().GetResult();
            }
            else
            {
                var operation = mode == "counts"
                    ? group.SumCounts(new OperationKey("counts", round), counts)
                    : group.AllReduce(new OperationKey("sum", round), group.Size, held, mode == "masked" ? packed : result, format);
                operation.Wait(CancellationToken.None);
            }

            for (var i = 0; i < masked.Length; i++)
            {
                result[masked[i]] = packed[i];
            }

            if (bytes > 65_536)
            {
                // Of a long operation the slowest rank's end is what counts; of a short one the barrier would be the larger part.
                group.Barrier(new OperationKey("after", round)).Wait(CancellationToken.None);
            }

            if (round >= 0)
            {
                times[round] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        }

        return times;
    }
}
