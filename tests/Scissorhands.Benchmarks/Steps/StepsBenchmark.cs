using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Benchmarks.World;
using Scissorhands.Core.Repair;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages;
using Scissorhands.Worker.Stages.Repair;

namespace Scissorhands.Benchmarks.Steps;

/// <summary>
/// The product's repair and sensitivity stages, with data from a shard, checkpoints off, one thread, against TorchSharp
/// alone on batches that lie ready as tensors: <c>steps [rounds] [architecture]</c>, 5 and <c>resnet18;width=16</c> where
/// not given. A round runs a short stage and as many bare steps, and ratios are of a round's medians. Targets: plain step
/// at most 1.05, sensitivity 1.10; projection at most 5 % of a joint step with one memory and 10 % with ten.
/// </summary>
internal static class StepsBenchmark
{
    private const int BatchSize = 256;
    private const int ForgetBatches = 6;
    private const int RetainBatches = 15;

    // What lies prepared when a stretch begins says nothing of steady work.
    private const int Prefetched = 3;

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var rounds = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 5;
        var architecture = args.Length > 1 ? args[1] : "resnet18;width=16";
        var samples = (ForgetBatches + RetainBatches) * BatchSize;
        using var world = MadeUpWorld.Create(architecture, samples);
        var configuration = new RunConfiguration
        {
            Repair = new() { Epochs = 1, BatchSize = BatchSize, Slices = 1 },
            Sensitivity = new() { BatchSize = BatchSize, BlockBatches = ForgetBatches },
            Augmentation = new() { Flip = true, Crop = 4 },
            Checkpoint = new() { EverySteps = 1_000_000 },
        };
        using var inputs = world.Inputs(configuration, ForgetBatches * BatchSize);
        var result = new Dictionary<string, Samples>(StringComparer.Ordinal);
        ComputeThread.Run("benchmark", () =>
        {
            Core.Native.NumericProfile.ConfigureThread(1);
            for (var round = -1; round < rounds; round++)
            {
                Round(world, inputs, round >= 0 ? result : []);
            }
        }).GetAwaiter().GetResult();

        Report(result, "plain repair step / bare step", 1.05, "plain", "bare plain");
        Report(result, "joint repair step / bare joint step", null, "joint", "bare joint");
        Report(result, "sensitivity batch / bare forward+backward", 1.10, "sensitivity", "bare gradient");
        Report(result, "projection, 1 memory / joint step", 0.05, "project 1", "joint");
        Report(result, "projection, 10 memories / joint step", 0.10, "project 10", "joint");
        Report(result, "making a batch / plain step (other threads do it)", 1, "data", "plain");
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            benchmark = "steps",
            architecture,
            batchSize = BatchSize,
            rounds,
            milliseconds = result.ToDictionary(p => p.Key, p => Math.Round(1000 * p.Value.Median, 2)),
        }));
        return 0;
    }

    private static void Round(MadeUpWorld world, RunInputs inputs, Dictionary<string, Samples> result)
    {
        var steps = new StageBench(inputs).Execute<StepDone>(new RepairStage("benchmark"), RunStage.Repair);
        var plain = steps.Where(s => s.Report.Step >= ForgetBatches + 1).Select(s => s.Seconds).ToArray();
        var joint = steps.Where(s => s.Report.Step < ForgetBatches && s.Report.Step >= 2).Select(s => s.Seconds).ToArray();
        using var bare = new BareTraining(world.NewModel(), BatchSize, inputs.Configuration.Repair.Lr);
        bare.Step(joint: true);
        var barePlain = Time(plain.Length, () => bare.Step(joint: false));
        var bareJoint = Time(joint.Length, () => bare.Step(joint: true));
        var sensitivity = new StageBench(inputs).Execute<StageProgress>(new SensitivityStage(), RunStage.Sensitivity);
        var bareGradient = Time(sensitivity.Count, bare.Gradient);
        Add(result, "plain", plain);
        Add(result, "bare plain", barePlain);
        Add(result, "joint", joint);
        Add(result, "bare joint", bareJoint);
        Add(result, "sensitivity", [.. sensitivity.Select(s => s.Seconds)]);
        Add(result, "bare gradient", bareGradient);
        Add(result, "project 1", Projections(inputs, 1));
        Add(result, "project 10", Projections(inputs, 10));
        Add(result, "data", Batches(inputs));
    }

    /// <summary>Projections of a gradient that conflicts with every memory, so that nothing is skipped.</summary>
    private static double[] Projections(RunInputs inputs, int memories)
    {
        using var replica = ReplicaFactory.Create(inputs);
        var n = replica.Parameters.Count;
        using var projection = new ProjectedGradient(inputs.Configuration.Projection, Core.Trim.TrimScope.Projected(inputs.Configuration.Projection, replica.Parameters), new IndexRange(0, n));
        var random = new Random(1);
        for (var i = 0; i < memories; i++)
        {
            foreach (ref var value in projection.Add().Span)
            {
                value = random.NextSingle() - 0.5f;
            }
        }

        var conflicting = new float[n];
        for (var i = 0; i < n; i++)
        {
            conflicting[i] = -projection.Memories.Sum(m => m[i]);
        }

        var gradient = new float[n];
        var projected = true;
        double Once()
        {
            conflicting.CopyTo(gradient, 0);
            var start = Stopwatch.GetTimestamp();
            projected &= projection.Project(gradient);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        // The first one also computes the epoch's Gram matrix.
        Once();
        double[] seconds = [.. Enumerable.Range(0, 7).Select(_ => Once())];
        return projected ? seconds : throw new InvalidOperationException("The gradient did not conflict");
    }

    /// <summary>Time between batches of a stream that nothing else competes with.</summary>
    private static double[] Batches(RunInputs inputs)
    {
        using var stream = inputs.Augmented.Open(inputs.Schedule.Steps(0).Select(s => new Data.Samples.BatchRequest(s.Slices[0].Retain.ToArray(), 0)));
        var seconds = new List<double>();
        var last = Stopwatch.GetTimestamp();
        while (stream.Next(CancellationToken.None) is { } batch)
        {
            batch.Dispose();
            var now = Stopwatch.GetTimestamp();
            seconds.Add(Stopwatch.GetElapsedTime(last, now).TotalSeconds);
            last = now;
        }

        return [.. seconds.Skip(Prefetched)];
    }

    private static double[] Time(int count, Action action) =>
    [
        .. Enumerable.Range(0, count).Select(_ =>
        {
            var start = Stopwatch.GetTimestamp();
            action();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }),
    ];

    private static void Add(Dictionary<string, Samples> result, string name, double[] seconds)
    {
        if (!result.TryGetValue(name, out var samples))
        {
            result[name] = samples = new Samples();
        }

        samples.Rounds.Add(Median(seconds));
    }

    private static void Report(Dictionary<string, Samples> result, string title, double? target, string of, string to)
    {
        var ratios = result[of].Rounds.Zip(result[to].Rounds, (a, b) => a / b).ToArray();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{title,-52} {Median(ratios),6:F3} ({ratios.Min():F3} to {ratios.Max():F3}){(target is { } t ? $"  target {t}" : "")}"));
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private sealed class Samples
    {
        public List<double> Rounds { get; } = [];

        public double Median => StepsBenchmark.Median(Rounds);
    }
}
