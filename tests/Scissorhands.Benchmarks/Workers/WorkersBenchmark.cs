using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Benchmarks.World;
using Scissorhands.Cli.Run;
using Scissorhands.Core.Native;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;

namespace Scissorhands.Benchmarks.Workers;

/// <summary>
/// Whole local runs with one worker and with two, one thread each, in turn: <c>workers [rounds] [architecture]</c>, 3 and
/// <c>resnet18;width=16</c> where not given. Target: two are at least 1.7 times as fast as one. Needs two free cores; what
/// the machine itself gives is measured beside it, by bare training steps on one thread and on two that share nothing.
/// </summary>
internal static class WorkersBenchmark
{
    private const int BareSteps = 8;

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 3;
        var architecture = args.Length > 1 ? args[1] : "resnet18;width=16";
        var configuration = new RunConfiguration
        {
            Repair = new() { Epochs = 3, BatchSize = 256, Slices = 2 },
            Sensitivity = new() { BatchSize = 128, BlockBatches = 1 },
            Augmentation = new() { Flip = true },
            Evaluation = new() { Mia = false },
        };
        using var world = MadeUpWorld.Create(architecture, 8 * 256);
        using var inputs = world.Inputs(configuration, 2 * 256);
        var ratios = new List<double>();
        var bare = new List<double>();
        var stages = new Dictionary<RunStage, List<(double One, double Two)>>();
        for (var round = -1; round < rounds; round++)
        {
            var one = Time(world, inputs, 1);
            var two = Time(world, inputs, 2);
            if (round < 0)
            {
                continue;
            }

            bare.Add(Bare(world, [BareSteps]) / Bare(world, [BareSteps / 2, BareSteps / 2]));
            ratios.Add(one.Values.Sum() / two.Values.Sum());
            foreach (var stage in one.Keys)
            {
                (stages.TryGetValue(stage, out var list) ? list : stages[stage] = []).Add((one[stage], two[stage]));
            }
        }

        foreach (var (stage, times) in stages)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{stage,-18} one worker {times.Average(t => t.One),7:F2} s, two {times.Average(t => t.Two),7:F2} s: {times.Average(t => t.One / t.Two):F2} x"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"whole run",-18} {ratios.Average():F2} x ({ratios.Min():F2} to {ratios.Max():F2})  target 1.7"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"bare steps",-18} {bare.Average():F2} x ({bare.Min():F2} to {bare.Max():F2})  what the machine gives two threads that share nothing"));
        Console.WriteLine(JsonSerializer.Serialize(new { benchmark = "workers", architecture, rounds, ratio = Math.Round(ratios.Average(), 3), least = Math.Round(ratios.Min(), 3), bare = Math.Round(bare.Average(), 3) }));
        return 0;
    }

    // Seconds until all threads have done their joint steps, on batches of one slice.
    private static double Bare(MadeUpWorld world, int[] stepsOfThreads)
    {
        using var ready = new Barrier(stepsOfThreads.Length + 1);
        var threads = stepsOfThreads.Select(steps => ComputeThread.Run("bare", () =>
        {
            NumericProfile.ConfigureThread(1);
            using var training = new BareTraining(world.NewModel(), 128, 0.005);
            training.Step(joint: true);
            ready.SignalAndWait();
            for (var i = 0; i < steps; i++)
            {
                training.Step(joint: true);
            }
        })).ToArray();
        ready.SignalAndWait();
        var started = Stopwatch.GetTimestamp();
        Task.WhenAll(threads).GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static Dictionary<RunStage, double> Time(MadeUpWorld world, RunInputs inputs, int workers)
    {
        var path = Path.Combine(world.Folder, $"out-{workers}");
        var seconds = new Dictionary<RunStage, double>();
        using (var run = LocalRun.Open(inputs, new RunFolder(path), resume: false, TimeProvider.System))
        {
            var last = Stopwatch.GetTimestamp();
            void Observe(WorkerReport report)
            {
                if (report is StageDone done)
                {
                    lock (seconds)
                    {
                        var now = Stopwatch.GetTimestamp();
                        seconds[done.Stage] = seconds.GetValueOrDefault(done.Stage) + Stopwatch.GetElapsedTime(last, now).TotalSeconds;
                        last = now;
                    }
                }
            }

            run.ExecuteAsync(workers, Observe, CancellationToken.None, CancellationToken.None).GetAwaiter().GetResult();
        }

        Directory.Delete(path, recursive: true);
        return seconds;
    }
}
