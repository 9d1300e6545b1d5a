using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Benchmarks.World;
using Scissorhands.Core.Native;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages;
using Scissorhands.Worker.Stages.Repair;

namespace Scissorhands.Benchmarks.Memory;

/// <summary>
/// Peak resident memory of a stage less that of bare training steps on a slice of the same size, in vectors of one float32
/// a parameter: <c>memory [architecture]</c>, <c>resnet18</c> (11 million parameters) where not given; <c>memory workers</c>
/// measures workers that share steps (<see cref="SharedStepMemory"/>). Every figure is the
/// peak of a process of its own. The product's own replica holds weights and gradient as the bare module does.
/// </summary>
internal static class MemoryBenchmark
{
    private const int SliceSamples = 8;
    private const int SensitivityBlocks = 4;

    /// <summary>Runs the benchmark, or one of its measurements where the second argument names it.</summary>
    public static int Run(string[] args)
    {
        var architecture = args.Length > 0 ? args[0] : "resnet18";
        switch (architecture)
        {
            case "workers":
                return SharedStepMemory.Run([.. args.Skip(1).Select(a => int.Parse(a, CultureInfo.InvariantCulture))]);
            case "bare-large":
                return SharedStepMemory.MeasureBare(args[1]);
        }

        if (args.Length > 1)
        {
            return Measure(architecture, args[1], [.. args.Skip(2).Select(a => int.Parse(a, CultureInfo.InvariantCulture))]);
        }

        // Momentum is among the bare step's vectors: the repair's counts as one more only where the bare step has none.
        var gradientOnly = Child(architecture, "bare", 0);
        var step = Child(architecture, "bare", 1);
        var vector = step.Vector;
        var rows = new List<object>();
        void Row(string title, Peak peak, Peak reference, string expected)
        {
            var vectors = (peak.Bytes - reference.Bytes) / (double)vector;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title,-56} {vectors,6:F2} vectors   expected {expected}"));
            rows.Add(new { title, vectors = Math.Round(vectors, 2), expected });
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"one vector: {vector / 1048576.0:F1} MiB; bare step: {step.Bytes / 1048576.0:F0} MiB"));
        Row("bare step over bare gradient (momentum)", step, gradientOnly, "1");
        Row("sensitivity over bare gradient", Child(architecture, "sensitivity", 64, 1), gradientOnly, "1 + up to 3: accumulator, partials of 4 blocks");
        Row("sensitivity, 4 x the data", Child(architecture, "sensitivity", 256, 1), gradientOnly, "as above");
        Row("repair over bare step, 1 slice, 1 memory", Child(architecture, "repair", 1, 1, 1), step, "1: memory");
        Row("repair, 1 slice, 1 memory, 4 x the steps", Child(architecture, "repair", 1, 1, 4), step, "as above");
        Row("repair, 1 slice, 4 memories", Child(architecture, "repair", 1, 4, 1), step, "4: memories");
        Row("repair, 4 slices, 1 memory", Child(architecture, "repair", 4, 1, 1), step, "3: memory, 2 partials");
        Row("repair, 8 slices, 1 memory", Child(architecture, "repair", 8, 1, 1), step, "4: memory, 3 partials");
        Console.WriteLine(JsonSerializer.Serialize(new { benchmark = "memory", architecture, vectorBytes = vector, rows }));
        return 0;
    }

    private static int Measure(string architecture, string what, int[] numbers)
    {
        var slices = what == "repair" ? numbers[0] : 1;
        var memories = what == "repair" ? numbers[1] : 1;
        var steps = what == "repair" ? 6 * numbers[2] : 6;
        var batch = slices * SliceSamples;
        var forget = what == "sensitivity" ? numbers[0] : Math.Max(memories, 2) * batch;
        var configuration = new RunConfiguration
        {
            Repair = new() { Epochs = 2, BatchSize = batch, Slices = slices },
            Projection = new() { Memories = memories },
            // As many blocks whatever the data: the tree over them has the same depth.
            Sensitivity = new() { BatchSize = SliceSamples, BlockBatches = Math.Max(1, forget / SliceSamples / SensitivityBlocks) },
            Checkpoint = new() { EverySteps = 3 },
        };
        using var world = MadeUpWorld.Create(architecture, forget + (steps * batch));
        long vector = 0;
        ComputeThread.Run("benchmark", () =>
        {
            NumericProfile.ConfigureThread(1);
            using var inputs = world.Inputs(configuration, forget);
            vector = 4L * CountOf(world);
            switch (what)
            {
                case "bare":
                    using (var bare = new BareTraining(world.NewModel(), SliceSamples, 0.005))
                    {
                        for (var i = 0; i < 2 * steps; i++)
                        {
                            if (numbers[0] == 0)
                            {
                                bare.Gradient();
                            }
                            else
                            {
                                bare.Step(joint: true);
                            }
                        }
                    }

                    break;
                case "sensitivity":
                    new StageBench(inputs).Execute<StageProgress>(new SensitivityStage(), RunStage.Sensitivity);
                    break;
                default:
                    new StageBench(inputs).Execute<StepDone>(new RepairStage("benchmark"), RunStage.Repair);
                    break;
            }
        }).GetAwaiter().GetResult();
        Console.WriteLine(JsonSerializer.Serialize(new Peak(PeakBytes(), vector)));
        return 0;
    }

    private static long CountOf(MadeUpWorld world)
    {
        using var model = world.NewModel();
        return model.Module.parameters().Sum(p => p.numel());
    }

    internal static long PeakBytes()
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }

    private static Peak Child(string architecture, string what, params int[] numbers)
    {
        var arguments = new[] { "memory", architecture, what }.Concat(numbers.Select(n => n.ToString(CultureInfo.InvariantCulture)));
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<Peak>(output)!
            : throw new InvalidOperationException($"The measurement {what} failed");
    }

    internal sealed record Peak(long Bytes, long Vector);
}
