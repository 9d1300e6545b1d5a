using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Benchmarks.World;
using Scissorhands.Cli.Run;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;

namespace Scissorhands.Benchmarks.Workers;

/// <summary>
/// Whole local runs with one worker and with two, one thread each, in turn: <c>workers [rounds] [architecture]</c>, 3 and
/// <c>resnet18;width=16</c> where not given. Target: two are at least 1.7 times as fast as one. Needs two free cores.
/// </summary>
internal static class WorkersBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 3;
        var architecture = args.Length > 1 ? args[1] : "resnet18;width=16";
        var configuration = new RunConfiguration
        {
            Repair = new() { Epochs = 2, BatchSize = 256, Slices = 2 },
            Sensitivity = new() { BatchSize = 128, BlockBatches = 1 },
            Augmentation = new() { Flip = true },
            Evaluation = new() { Mia = false },
        };
        using var world = MadeUpWorld.Create(architecture, 8 * 256);
        using var inputs = world.Inputs(configuration, 2 * 256);
        var ratios = new List<double>();
        var stages = new Dictionary<RunStage, List<(double One, double Two)>>();
        for (var round = -1; round < rounds; round++)
        {
            var one = Time(world, inputs, 1);
            var two = Time(world, inputs, 2);
            if (round < 0)
            {
                continue;
            }

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
        Console.WriteLine(JsonSerializer.Serialize(new { benchmark = "workers", architecture, rounds, ratio = Math.Round(ratios.Average(), 3), least = Math.Round(ratios.Min(), 3) }));
        return 0;
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
