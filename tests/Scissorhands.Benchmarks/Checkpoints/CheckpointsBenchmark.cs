using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;

namespace Scissorhands.Benchmarks.Checkpoints;

/// <summary>
/// What it costs that checkpoints carry digests: a repair checkpoint in a run's store against a plain file of the same tensors
/// beside it, written and flushed, and read back: <c>checkpoints [parameters] [rounds] [folder]</c>, 25 million (ResNet-50), 7
/// and the system's folder of temporary files where not given.
/// </summary>
internal static class CheckpointsBenchmark
{
    private const string Plan = "plan";

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 25_000_000;
        var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 7;
        var folder = Path.Combine(args.Length > 2 ? args[2] : Path.GetTempPath(), $"scissorhands-checkpoints-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            Measure(count, rounds, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return 0;
    }

    private static void Measure(int count, int rounds, string folder)
    {
        var random = new Random(5);
        float[] Vector() => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];
        float[] weights = Vector(), momentum = Vector(), memory = Vector(), read = new float[count];
        var store = new CheckpointFolder(folder);
        var plain = Path.Combine(folder, "plain.safetensors");
        SafetensorsInput Tensor(string name, float[] values) => new(name, SafetensorsDType.F32, [count], d => d.Write(MemoryMarshal.AsBytes(values.AsSpan())));
        SafetensorsContent Content(float[] values) => d => d.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        var checkpoint = new RepairCheckpoint(1, weights, new float[1], [], count, Content(momentum), [Content(memory)]);
        var whole = new IndexRange(0, count);
        var times = Alternating.Run(
            rounds,
            () => SafetensorsWriter.Write(plain, [Tensor("weights", weights), Tensor("momentum", momentum), Tensor("memory", memory)], null),
            () => checkpoint.Write(store, Plan, CancellationToken.None),
            () =>
            {
                using var file = SafetensorsFile.Open(plain);
                foreach (var entry in file.Entries)
                {
                    file.ReadInto(entry, MemoryMarshal.AsBytes(read.AsSpan()));
                }
            },
            () =>
            {
                using var reader = RepairCheckpointReader.Open(store, RepairCheckpoint.NameOf(1), Plan, CancellationToken.None);
                reader.ReadMomentum(whole, count, read);
                reader.ReadMemory(0, whole, count, read);
                reader.ReadMomentum(whole, count, read);
            });
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        checkpoint.Write(store, Plan, CancellationToken.None);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        var (write, readBack) = (times.Ratio(1, 0), times.Ratio(3, 2));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"3 vectors of {count} float32: written in {times.Milliseconds(1):F0} ms, plain {times.Milliseconds(0):F0} ms (ratio {write.Median:F2}); read in {times.Milliseconds(3):F0} ms, plain {times.Milliseconds(2):F0} ms (ratio {readBack.Median:F2}); {allocated} bytes allocated"));
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            benchmark = "checkpoints",
            parameters = count,
            rounds,
            writeMs = times.Milliseconds(1),
            plainWriteMs = times.Milliseconds(0),
            writeRatio = write.Median,
            readMs = times.Milliseconds(3),
            plainReadMs = times.Milliseconds(2),
            readRatio = readBack.Median,
            allocatedBytes = allocated,
        }));
    }
}
