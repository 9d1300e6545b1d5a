using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Core.Models;
using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using TorchSharp;

[assembly: AssemblyFixture(typeof(TinyWorld))]

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>Digests of a run's results.</summary>
public sealed record Answer(string Model, string Mask, string Saliency);

/// <summary>One data set and one model for all tests, and the answers of uninterrupted runs on them, each computed once.</summary>
public sealed class TinyWorld : IAsyncLifetime
{
    public const int TrainSamples = 90;
    public const int TestSamples = 40;
    public const int Classes = 3;
    public const int Size = 8;
    public const int ForgetSamples = 33;

    private readonly ConcurrentDictionary<string, Lazy<Task<(Answer Answer, CliResult Result)>>> _runs = new(StringComparer.Ordinal);
    private int _folders;

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-cli-").FullName;

    public string TrainPath => Path.Combine(Folder, "train-0.tar");

    public string TestPath => Path.Combine(Folder, "test-0.tar");

    public string ModelPath => Path.Combine(Folder, "original.safetensors");

    public string ForgetPath => ForgetList(ForgetSamples);

    public async ValueTask InitializeAsync()
    {
        TinyData.WriteShard(TrainPath, "train", TrainSamples, _ => Size, i => i % Classes);
        TinyData.WriteShard(TestPath, "test", TestSamples, _ => Size, i => i * 7 % Classes);
        foreach (var count in (int[])[1, 2, 3, 7, 17, ForgetSamples])
        {
            await File.WriteAllLinesAsync(ForgetList(count), Enumerable.Range(0, count).Select(i => TinyData.Id("train", i * 29 % TrainSamples)));
        }

        NumericProfile.Apply(new RunConfiguration());
        await ComputeThread.Run("tiny-model", () =>
        {
            NumericProfile.ConfigureThread(1);
            var spec = ArchitectureSpec.Parse("resnet20;classes=3;stem=cifar;width=4;dropout=0.2");
            var model = BuiltInModels.CreateLoaded(spec, ModelPath);
            ReproducibleInitialization.Apply(model.Module, 5);
            using var replica = new ModelReplica(model, torch.CPU, 5);
            ModelFiles.WriteStateDict(ModelPath, replica.State(), spec);
        });
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>A path in the world's folder where nothing lies yet.</summary>
    public string NewPath(string name) => Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _folders)}-{name}"));

    public string ForgetList(int count) => Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"forget-{count}.txt"));

    /// <summary>Arguments of a run; settings given here override the world's.</summary>
    public IReadOnlyList<string> Arguments(string output, int workers, int forget = ForgetSamples, IEnumerable<string>? settings = null) =>
    [
        "run",
        "--model", ModelPath,
        "--data", TrainPath,
        "--test-data", TestPath,
        "--forget", ForgetList(forget),
        "--out", output,
        "--workers", workers.ToString(CultureInfo.InvariantCulture),
        "--json",
        .. Settings(settings),
    ];

    /// <summary>The settings of all runs here, and more.</summary>
    public IReadOnlyList<string> Settings(IEnumerable<string>? more = null)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        IEnumerable<string> own =
        [
            $"data.cache={Path.Combine(Folder, "cache")}",
            "repair.epochs=2",
            "repair.batchSize=16",
            "repair.slices=4",
            "repair.lr=0.05",
            "sensitivity.batchSize=4",
            "sensitivity.blockBatches=2",
            "checkpoint.everySteps=3",
            "projection.memories=2",
            "evaluation.batchSize=16",
            "artifacts.saliency=true",
            "augmentation.flip=true",
        ];
        foreach (var setting in own.Concat(more ?? []))
        {
            settings[setting.Split('=')[0]] = setting;
        }

        return [.. settings.Values.SelectMany(s => (string[])["--set", s])];
    }

    /// <summary>What one worker, never interrupted, makes of it.</summary>
    public async Task<Answer> ExpectedAsync(int forget = ForgetSamples, params string[] settings) => (await ReferenceAsync(forget, settings)).Answer;

    /// <summary>The uninterrupted run of one worker, and what it printed.</summary>
    public Task<(Answer Answer, CliResult Result)> ReferenceAsync(int forget = ForgetSamples, params string[] settings) =>
        _runs.GetOrAdd($"{forget}|{string.Join('|', settings)}", _ => new(() => RunAsync(1, forget, settings))).Value;

    /// <summary>Runs in a new folder, to the end.</summary>
    public async Task<(Answer Answer, CliResult Result)> RunAsync(int workers, int forget = ForgetSamples, params string[] settings)
    {
        var output = NewPath("run");
        var result = await CliProcess.RunAsync(Arguments(output, workers, forget, settings));
        Assert.True(result.ExitCode == 0, result.Describe());
        return (AnswerIn(output), result);
    }

    public static Answer AnswerIn(string output) => new(Digest(output, "model.safetensors"), Digest(output, "mask.safetensors"), Digest(output, "saliency.safetensors"));

    private static string Digest(string folder, string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, name))));
}
