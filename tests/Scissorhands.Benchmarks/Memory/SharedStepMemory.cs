using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Benchmarks.Collectives;
using Scissorhands.Benchmarks.World;
using Scissorhands.Core.Native;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning.Configuration;
using Scissorhands.Testing;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages.Repair;

namespace Scissorhands.Benchmarks.Memory;

/// <summary>
/// Peak resident memory of each of two workers, processes that share a broker, in repair steps of a large model with
/// <c>bf16</c>, less that of bare forward and backward passes on a slice of the same size: <c>memory workers</c>. The bare
/// passes hold weights and gradient; momentum, memories and partial sums are what the method adds.
/// </summary>
internal static class SharedStepMemory
{
    private const int Workers = 2;
    private const int SliceSamples = 8;
    private const int Rounds = 4;
    private const double BufferMebibytes = 64;

    /// <summary>Measures all rows, or those of the given number of slices and memories.</summary>
    public static int Run(int[] only)
    {
        using var model = LargeModel.TryMake();
        var broker = new Broker();
        try
        {
            broker.StartAsync().AsTask().GetAwaiter().GetResult();
            if (model is null || broker.Missing is not null)
            {
                Console.Error.WriteLine(broker.Missing ?? "Debian's Python with torch is not installed (apt-get install python3-torch).");
                return 1;
            }

            var bare = Bare(model.Path);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"one vector: {Mebibytes(bare.Vector):F1} MiB; bare passes: {Mebibytes(bare.Bytes):F0} MiB"));
            (int Slices, int Memories)[] rows = only.Length == 2 ? [(only[0], only[1])] : [(2, 1), (4, 1), (8, 1), (4, 4)];
            foreach (var (slices, memories) in rows)
            {
                foreach (var sharded in (bool[])[false, true])
                {
                    using var ranks = new RankProcesses(broker.Address, Workers, "memory-rank", model.Path, Text(slices), Text(memories), sharded.ToString());
                    var peak = ranks.ReadAll("peak").Max(static line => long.Parse(line, CultureInfo.InvariantCulture));
                    var kept = (1 + memories) / (sharded ? (double)Workers : 1);
                    var partials = BitOperations.Log2((uint)(slices / Workers));
                    var expected = ((kept + partials) * Mebibytes(bare.Vector)) + BufferMebibytes;
                    var found = Mebibytes(peak - bare.Bytes);
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{slices} slices, {memories} memories{(sharded ? ", sharded" : ""),-9} {found,6:F0} MiB   expected {expected,6:F0}: {kept} momentum and memories, {partials} partial sums, {BufferMebibytes} MiB   {(found <= expected ? "holds" : "EXCEEDED")}"));
                }
            }

            return 0;
        }
        finally
        {
            broker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>One worker in a process of its own: BROKER RANK RANKS MODEL SLICES MEMORIES SHARDED.</summary>
    public static int Rank(string[] args)
    {
        var (rank, ranks) = (Number(args[1]), Number(args[2]));
        var (slices, memories) = (Number(args[4]), Number(args[5]));
        var link = RabbitDataLink.ConnectAsync(new Uri(args[0]), $"rank {rank}", CancellationToken.None).GetAwaiter().GetResult();
        Console.WriteLine($"queue {link.QueueName}");
        var queues = Console.ReadLine()!.Split(' ');
        var batch = slices * SliceSamples;
        var configuration = new RunConfiguration
        {
            Repair = new() { Epochs = 2, BatchSize = batch, Slices = slices, ShardState = bool.Parse(args[6]) },
            Projection = new() { Memories = memories },
            Checkpoint = new() { EverySteps = 3 },
            Wire = new() { Format = "bf16" },
        };
        var forget = Math.Max(memories, 2) * batch;
        using var world = MadeUpWorld.CreateFor(args[3], forget + (Rounds / 2 * batch));
        var group = new RabbitCollectiveGroup(link, "benchmark", 1, rank, queues, SHA256.HashData("a key for measurements"u8));
        ComputeThread.Run("benchmark", () =>
        {
            NumericProfile.ConfigureThread(1);
            using var inputs = world.Inputs(configuration, forget);
            new StageBench(inputs, group: group).Execute<StepDone>(new RepairStage("benchmark"), RunStage.Repair);
        }).GetAwaiter().GetResult();
        group.DisposeAsync().AsTask().GetAwaiter().GetResult();
        link.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Console.WriteLine($"peak {MemoryBenchmark.PeakBytes()}");
        return 0;
    }

    /// <summary>The bare passes in a process of their own: MODEL.</summary>
    public static int MeasureBare(string path)
    {
        using var world = MadeUpWorld.CreateFor(path, SliceSamples);
        long vector = 0;
        ComputeThread.Run("benchmark", () =>
        {
            NumericProfile.ConfigureThread(1);
            using var bare = new BareTraining(world.NewModel(), SliceSamples, 0.005);
            vector = sizeof(float) * bare.Parameters;
            for (var i = 0; i < Rounds; i++)
            {
                bare.Gradient();
            }
        }).GetAwaiter().GetResult();
        Console.WriteLine(JsonSerializer.Serialize(new MemoryBenchmark.Peak(MemoryBenchmark.PeakBytes(), vector)));
        return 0;
    }

    private static MemoryBenchmark.Peak Bare(string path)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["memory", "bare-large", path]) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return JsonSerializer.Deserialize<MemoryBenchmark.Peak>(output)!;
    }

    private static double Mebibytes(long bytes) => bytes / 1048576.0;

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
