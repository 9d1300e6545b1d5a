using System.Security.Cryptography;
using Scissorhands.Core.Models;
using Scissorhands.Core.Tasks;
using Scissorhands.Data.Batches;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;
using TorchSharp;

namespace Scissorhands.Worker.Run;

/// <summary>
/// What a run works on, resolved and checked: shared by the workers of a process, read-only.
/// </summary>
public sealed class RunInputs : IDisposable
{
    private readonly IBatchSource _augmented;
    private readonly IBatchSource _plain;
    private readonly IBatchSource? _plainTest;

    /// <summary>Describes inputs.</summary>
    /// <param name="configuration">The resolved configuration.</param>
    /// <param name="modelPath">The model file.</param>
    /// <param name="train">The training data.</param>
    /// <param name="test">The test data, or null.</param>
    /// <param name="forget">Ordinals of D_f in forget-list order.</param>
    /// <param name="forgotten">Ordinals that earlier runs forgot, ascending; without those of D_f.</param>
    public RunInputs(RunConfiguration configuration, string modelPath, ISampleSet train, ISampleSet? test, IReadOnlyList<int> forget, IReadOnlyList<int> forgotten)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(train);
        Configuration = configuration;
        ModelPath = modelPath;
        Train = train;
        Test = test;
        Forget = forget;
        Forgotten = forgotten;
        Task = LearningTasks.Find(configuration.Task);
        var left = forget.Concat(forgotten).ToHashSet();
        Retain = [.. Enumerable.Range(0, train.Count).Where(i => !left.Contains(i))];
        var batches = BatchCut.Batches(forget.Count, configuration.Sensitivity.BatchSize, 2);
        var limit = configuration.Sensitivity.MaxBatches;
        SensitivityBatches = limit > 0 && batches.Count > limit ? [.. batches.Take(limit)] : batches;
        SensitivityBlocks = BatchCut.Batches(SensitivityBatches.Count, configuration.Sensitivity.BlockBatches, 1);
        Schedule = new RepairSchedule(configuration, Retain, forget);
        _plain = new BatchSource(train, configuration.Data, new AugmentationConfiguration(), configuration.Seed);
        _augmented = new BatchSource(train, configuration.Data, configuration.Augmentation, configuration.Seed);
        _plainTest = test is null ? null : new BatchSource(test, configuration.Data, new AugmentationConfiguration(), configuration.Seed);
    }

    /// <summary>The resolved configuration.</summary>
    public RunConfiguration Configuration { get; }

    /// <summary>The model file.</summary>
    public string ModelPath { get; }

    /// <summary>Architecture of a state dict, where its file does not name it; otherwise null.</summary>
    public string? Architecture { get; init; }

    /// <summary>The task.</summary>
    public ILearningTask Task { get; }

    /// <summary>The training data.</summary>
    public ISampleSet Train { get; }

    /// <summary>The test data, or null.</summary>
    public ISampleSet? Test { get; }

    /// <summary>D_f, in forget-list order.</summary>
    public IReadOnlyList<int> Forget { get; }

    /// <summary>D_r, ascending.</summary>
    public IReadOnlyList<int> Retain { get; }

    /// <summary>What earlier runs forgot, ascending.</summary>
    public IReadOnlyList<int> Forgotten { get; }

    /// <summary>Entries of the forget list that are not in the data and were left out.</summary>
    public int UnknownForget { get; init; }

    /// <summary>Entries of the list of what earlier runs forgot that are not in the data.</summary>
    public int UnknownForgotten { get; init; }

    /// <summary>Positions in <see cref="Forget"/> of each sensitivity batch.</summary>
    public IReadOnlyList<IndexRange> SensitivityBatches { get; }

    /// <summary>Indices into <see cref="SensitivityBatches"/> of each block.</summary>
    public IReadOnlyList<IndexRange> SensitivityBlocks { get; }

    /// <summary>The repair stage's cut.</summary>
    public RepairSchedule Schedule { get; }

    /// <summary>Whether the sensitivity or the repair meets a batch of a single sample.</summary>
    public bool HasSingleSampleBatch => Forget.Count == 1 || Retain.Count == 1;

    /// <summary>Training samples as they are.</summary>
    public IBatchSource Plain => _plain;

    /// <summary>Training samples, augmented as configured.</summary>
    public IBatchSource Augmented => _augmented;

    /// <summary>Test samples as they are; null without test data.</summary>
    public IBatchSource? PlainTest => _plainTest;

    /// <summary>Writes down what the run's result is a function of.</summary>
    /// <param name="parameters">n of the loaded model.</param>
    /// <returns>The plan.</returns>
    public RunPlan Plan(int parameters)
    {
        using var model = File.OpenRead(ModelPath);
        return new RunPlan
        {
            LibtorchVersion = torch.__version__,
            ModelDigest = Convert.ToHexStringLower(SHA256.HashData(model)),
            Architecture = Architecture is null ? "" : ArchitectureSpec.Parse(Architecture).ToString(),

            // Without what earlier runs forgot, and wherever those that are to be forgotten lie: their rows may be erased.
            DataDigest = Train.DigestOf(Retain.Concat(Forget)),
            TestDigest = Test?.Digest ?? "",
            ForgetDigest = RunPlan.DigestOf(Forget.Select(Train.Id)),
            ForgottenDigest = Forgotten.Count == 0 ? "" : RunPlan.DigestOf(Forgotten.Select(Train.Id)),
            ConfigurationHash = ConfigurationJson.Hash(Configuration.ForResult()),
            Parameters = parameters,
            ForgetCount = Forget.Count,
            RetainCount = Retain.Count,
            TestCount = Test?.Count ?? 0,
            ForgottenCount = Forgotten.Count,
            SensitivityBatches = SensitivityBatches.Count,
            SensitivityBlocks = SensitivityBlocks.Count,
            StepsPerEpoch = Schedule.StepsPerEpoch,
            JointStepsPerEpoch = Schedule.JointStepsPerEpoch,
        };
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Train.Dispose();
        Test?.Dispose();
    }
}
