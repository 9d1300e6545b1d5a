using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Planning;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Stages;

namespace Scissorhands.Worker.Run;

/// <summary>Puts a finished run's report together from its state and its files.</summary>
public static class ReportBuilder
{
    /// <summary>Builds the report.</summary>
    /// <param name="inputs">What the run worked on.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="state">The completed state.</param>
    /// <param name="folder">The run's files.</param>
    /// <param name="workers">Workers of the last generation.</param>
    /// <param name="retrained">The retrained model's evaluation, or null.</param>
    /// <returns>The report.</returns>
    public static RunReport Build(RunInputs inputs, RunPlan plan, RunState state, RunFolder folder, int workers, EvaluationResult? retrained)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(folder);
        var configuration = inputs.Configuration;
        var selection = StageJson.Read<SelectionOutcome>(state.Results[RunStage.Select]);
        var steps = RunEvents.ReadSteps(folder);
        var published = StageJson.Read<PublishOutcome>(state.Results[RunStage.Publish]);
        return new RunReport
        {
            Identity = new RunIdentity
            {
                RunId = state.RunId,
                ModelFile = Path.GetFileName(inputs.ModelPath),
                ModelSha256 = plan.ModelDigest,
                DataDigest = plan.DataDigest,
                TestDigest = plan.TestDigest,
                ForgetDigest = plan.ForgetDigest,
                TombstoneDigest = plan.ForgottenDigest,
                ConfigurationHash = plan.ConfigurationHash,
                PlanHash = state.PlanHash,
                ForgetCount = plan.ForgetCount,
                RetainCount = plan.RetainCount,
                TestCount = plan.TestCount,
                TombstoneCount = plan.ForgottenCount,
                ForgetUnknownCount = inputs.UnknownForget,
                TombstoneUnknownCount = inputs.UnknownForgotten,
                Seed = configuration.Seed,
            },
            Environment = new RunEnvironment
            {
                ProgramVersion = Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "",
                Device = configuration.Device == "cpu"
                    ? string.Create(CultureInfo.InvariantCulture, $"cpu ({configuration.Numerics}, {configuration.Threads} thread{(configuration.Threads == 1 ? "" : "s")} a worker)")
                    : configuration.Device,
                Workers = workers,
                LibtorchVersion = plan.LibtorchVersion,
                StartedAt = state.StartedAt,
                FinishedAt = state.FinishedAt,
            },
            Configuration = configuration,
            Trim = new TrimSummary
            {
                Parameters = plan.Parameters,
                K = (long)Math.Floor((1 - configuration.Trim.Fraction) * selection.Considered),
                Threshold = selection.Threshold,
                Selected = selection.Selected,
                Trimmed = selection.Trimmed,
                Rows = [.. selection.Rows.Select(r => new ParameterTrim(r.Name, r.Elements, r.Selected, r.Trimmed))],
            },
            Before = Measure(StageJson.Read<EvaluationResult>(state.Results[RunStage.EvaluateOriginal])),
            AfterTrim = Measure(StageJson.Read<EvaluationResult>(state.Results[RunStage.EvaluateTrimmed])),
            AfterRepair = Measure(StageJson.Read<EvaluationResult>(state.Results[RunStage.EvaluateRepaired])),
            Retrained = retrained is null ? null : Measure(retrained),
            Repair = Series(plan, steps),
            Stages = [.. state.Seconds.OrderBy(s => s.Key).Select(s => new StageTime(StageNames.Of(s.Key), s.Value, Samples(s.Key, inputs, plan)))],
            Notes = Notes(inputs, steps.Count),
            Artifacts = [.. published.Files.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => new ArtifactDigest(f.Key, f.Value, new FileInfo(folder.Result(f.Key)).Length)), .. Configuration(folder)],
        };
    }

    /// <summary>An evaluation as the report shows it.</summary>
    /// <param name="result">The evaluation.</param>
    /// <returns>The measurement.</returns>
    public static ModelMeasurement Measure(EvaluationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new ModelMeasurement
        {
            Forget = Measure(result.Forget),
            Retain = Measure(result.Retain),
            Test = result.Test is null ? null : Measure(result.Test),
            TestFinal = result.TestFinal is null ? null : Measure(result.TestFinal),
            Earlier = result.Earlier is null ? null : Measure(result.Earlier),
            NonMemberShare = result.Mia,
            AttackPoints = result.MiaPoints,
        };
    }

    private static SetMeasurement Measure(SetEvaluation set) => new()
    {
        Count = set.Count,
        Accuracy = set.Accuracy,
        Loss = set.Loss,
        Confidence = [.. set.Histogram.Select(h => (long)h)],
    };

    private static RepairSeries Series(RunPlan plan, IReadOnlyList<StepDone> steps) => new()
    {
        StepsPerEpoch = plan.StepsPerEpoch,
        Times = new StepShares(steps.Sum(s => s.Times.Compute), steps.Sum(s => s.Times.Wait), steps.Sum(s => s.Times.Wire), steps.Sum(s => s.Times.Update)),
        RetainLoss = [.. steps.Select(s => s.RetainLoss)],
        ForgetLoss = [.. steps.Select(s => s.ForgetLoss)],
        Epochs = [.. steps.GroupBy(s => s.Epoch).OrderBy(g => g.Key).Select(g => new EpochSummary(
            g.Key + 1,
            g.First().LearningRate,
            g.Average(s => s.RetainAccuracy),
            g.Count(s => s.ForgetLoss is not null),
            g.Count(s => s.Projected)))],
    };

    private static long Samples(RunStage stage, RunInputs inputs, RunPlan plan) => stage switch
    {
        RunStage.EvaluateOriginal or RunStage.EvaluateTrimmed or RunStage.EvaluateRepaired => inputs.Train.Count + plan.TestCount,
        RunStage.Sensitivity => inputs.SensitivityBatches.Count == 0 ? 0 : inputs.SensitivityBatches[^1].End,
        RunStage.Repair => (long)inputs.Configuration.Repair.Epochs * (plan.RetainCount + Math.Min(plan.ForgetCount, (long)plan.JointStepsPerEpoch * inputs.Configuration.Repair.BatchSize)),
        _ => 0,
    };

    private static List<string> Notes(RunInputs inputs, int steps)
    {
        var notes = new List<string>();
        if (inputs.HasSingleSampleBatch)
        {
            notes.Add("A set of a single sample was processed with the normalisation layers in evaluation mode: batch statistics of one sample would say nothing.");
        }

        var points = 2 * Math.Min(Math.Min(inputs.Retain.Count, inputs.Test?.Count ?? 0), EvaluationSummary.MaximumMiaPoints / 2);
        if (inputs.Test is null)
        {
            notes.Add("No test data was given, so test accuracy and the membership attack were not measured.");
        }
        else if (inputs.Configuration.Evaluation.Mia && points < 2 * inputs.Retain.Count)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"The membership attack was trained on {points / 2:N0} kept samples, chosen by the seed, and as many test samples."));
        }

        if (steps != inputs.Schedule.TotalSteps)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"The curves of the repair lack {inputs.Schedule.TotalSteps - steps:N0} of its {inputs.Schedule.TotalSteps:N0} steps: they were taken, but the record of them was lost with the machine or the disk. The result is not touched by that."));
        }

        return notes;
    }

    private static IEnumerable<ArtifactDigest> Configuration(RunFolder folder)
    {
        var bytes = File.ReadAllBytes(folder.ConfigurationPath);
        yield return new ArtifactDigest(Path.GetFileName(folder.ConfigurationPath), Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes.Length);
    }
}
