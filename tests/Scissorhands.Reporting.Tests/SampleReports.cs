using Scissorhands.Planning.Configuration;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Tests;

/// <summary>A report shaped like a real run's.</summary>
internal static class SampleReports
{
    public static RunReport Full()
    {
        return new RunReport
        {
            Identity = new RunIdentity
            {
                RunId = "run-7f3a",
                ModelFile = "cifar10-resnet18w16.pt",
                ModelSha256 = Digest('1'),
                DataDigest = Digest('2'),
                TestDigest = Digest('3'),
                ForgetDigest = Digest('4'),
                ConfigurationHash = Digest('5'),
                PlanHash = Digest('6'),
                ForgetCount = 5000,
                RetainCount = 45000,
                TestCount = 10000,
                TombstoneCount = 0,
                Seed = 2,
            },
            Environment = new RunEnvironment
            {
                ProgramVersion = "0.1.0",
                Device = "cpu (avx2, 1 thread a worker)",
                Workers = 2,
                FinishedAt = new DateTimeOffset(2026, 11, 3, 14, 5, 0, TimeSpan.Zero),
            },
            Configuration = new RunConfiguration
            {
                Seed = 2,
                Trim = new TrimConfiguration { Scope = ["*layer3*", "*layer4*", "*fc*"], Exclude = ["*bn*"] },
            },
            Trim = Trim(),
            Before = Model(0.981, 0.9815, 0.8571, 0.079, (0.06, 0.06, 0.47), 30),
            AfterTrim = Model(0.0936, 0.0915, 0.0931, 0.4474, (2.9, 2.9, 2.9), 1),
            AfterRepair = Model(0.8822, 0.9765, 0.833, 0.1738, (0.39, 0.08, 0.62), 12),
            Retrained = Model(0.8472, 0.9811, 0.8427, 0.2562, (0.55, 0.06, 0.58), 10),
            Repair = Series(10, 176, 20),
            Stages =
            [
                new StageTime("plan", 1.2, 0), new StageTime("sensitivity", 21.4, 5000), new StageTime("select", 0.3, 0),
                new StageTime("trim", 0.02, 0), new StageTime("repair", 586, 500_000), new StageTime("evaluate", 64.5, 180_000),
                new StageTime("publish", 0.4, 0),
            ],
            Notes = ["The membership attack was trained on 20,000 of 55,000 points."],
            Artifacts = [new ArtifactDigest("model.safetensors", Digest('a'), 2_812_344), new ArtifactDigest("mask.safetensors", Digest('b'), 706_120)],
        };
    }

    public static RunReport Bare()
    {
        var set = new SetMeasurement { Count = 1, Accuracy = 0, Loss = double.PositiveInfinity };
        var model = new ModelMeasurement { Forget = set, Retain = set with { Count = 99, Accuracy = 1, Loss = 0 } };
        return Full() with
        {
            Identity = Full().Identity with { ForgetCount = 1, RetainCount = 99, TestCount = 0, TestDigest = "" },
            Trim = new TrimSummary { Parameters = 10, K = 9, Threshold = 0.5, Selected = 1, Trimmed = 0, Rows = [] },
            Before = model,
            AfterTrim = model,
            AfterRepair = model,
            Retrained = null,
            Repair = new RepairSeries { StepsPerEpoch = 0, RetainLoss = [], ForgetLoss = [], Epochs = [] },
            Stages = [],
            Notes = [],
            Artifacts = [],
        };
    }

    public static RepairSeries Series(int epochs, int steps, int joint)
    {
        var retain = new List<double>();
        var forget = new List<double?>();
        var rows = new List<EpochSummary>();
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            for (var step = 0; step < steps; step++)
            {
                var t = (epoch * steps) + step;
                var ripple = 0.03 * Math.Sin(t * 1.7) * Math.Cos(t * 0.31);
                retain.Add(0.09 + (2.2 * Math.Exp(-t / 25.0)) + (0.25 * Math.Exp(-t / 400.0)) + ripple);
                forget.Add(step < joint ? 0.38 + (2.2 * Math.Exp(-t / 25.0)) + (0.02 * step) + ripple : null);
            }

            rows.Add(new EpochSummary(epoch + 1, 0.005, 0.975 - (0.11 * Math.Exp(-epoch / 2.0)), joint, Math.Max(0, joint - epoch)));
        }

        return new RepairSeries { StepsPerEpoch = steps, RetainLoss = retain, ForgetLoss = forget, Epochs = rows };
    }

    private static TrimSummary Trim()
    {
        var rows = new List<ParameterTrim> { new("conv1.weight", 432, 300, 0), new("bn1.weight", 16, 16, 0) };
        for (var layer = 1; layer <= 4; layer++)
        {
            for (var block = 0; block < 2; block++)
            {
                for (var conv = 1; conv <= 2; conv++)
                {
                    var elements = 9L * (8 << layer) * (8 << layer);
                    var selected = elements / (9 + (4 * layer) + conv + block);
                    rows.Add(new ParameterTrim($"layer{layer}.{block}.conv{conv}.weight", elements, selected, layer >= 3 ? selected / 3 : 0));
                    rows.Add(new ParameterTrim($"layer{layer}.{block}.bn{conv}.weight", 8 << layer, 8, 0));
                }
            }
        }

        rows.Add(new ParameterTrim("layer3.0.downsample.1.weight", 64, 12, 12));
        rows.Add(new ParameterTrim("fc.weight", 1280, 410, 410));
        rows.Add(new ParameterTrim("fc.bias", 10, 3, 3));
        return new TrimSummary
        {
            Parameters = 701_466,
            K = 680_422,
            Threshold = 0.000_317_2,
            Selected = 21_044,
            Trimmed = 12_541,
            Rows = rows,
        };
    }

    private static ModelMeasurement Model(double forget, double retain, double test, double mia, (double F, double R, double T) loss, double peak)
    {
        return new ModelMeasurement
        {
            Forget = Set(5000, forget, loss.F, peak),
            Retain = Set(45000, retain, loss.R, 30),
            Test = Set(10000, test, loss.T, peak / 2),
            NonMemberShare = mia,
            AttackPoints = 20_000,
        };
    }

    private static SetMeasurement Set(long count, double accuracy, double loss, double peak)
    {
        var weights = Enumerable.Range(0, SetMeasurement.ConfidenceBins)
            .Select(bin => Math.Exp(-(SetMeasurement.ConfidenceBins - 1 - bin) / 2.2) * peak + (1 - accuracy) + 0.01)
            .ToArray();
        var sum = weights.Sum();
        var bins = weights.Select(weight => (long)(count * weight / sum)).ToArray();
        bins[^1] += count - bins.Sum();
        return new SetMeasurement { Count = count, Accuracy = accuracy, Loss = loss, Confidence = bins };
    }

    private static string Digest(char digit) => new(digit, 64);
}
