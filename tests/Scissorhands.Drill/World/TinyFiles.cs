using System.Globalization;
using System.Text.Json.Nodes;
using Scissorhands.Core.Models;
using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using TorchSharp;

namespace Scissorhands.Drill.World;

/// <summary>Inputs of runs that take seconds: a small network, two shards of tiny images, forget lists.</summary>
public sealed class TinyFiles
{
    public const int TrainSamples = 90;
    public const int TestSamples = 40;
    public const int Classes = 3;
    public const int Size = 8;
    public const int ForgetSamples = 33;

    private readonly string _architecture;
    private int _paths;

    /// <summary>Names the files; <see cref="WriteAsync"/> makes them.</summary>
    /// <param name="folder">Where they lie.</param>
    /// <param name="architecture">The network.</param>
    public TinyFiles(string folder, string architecture = "resnet20;classes=3;stem=cifar;width=4;dropout=0.2")
    {
        Folder = folder;
        _architecture = architecture;
    }

    public string Folder { get; }

    public string TrainPath => Path.Combine(Folder, "train-0.tar");

    public string TestPath => Path.Combine(Folder, "test-0.tar");

    public string ModelPath => Path.Combine(Folder, "original.safetensors");

    public string ForgetPath => ForgetList(ForgetSamples);

    public string ForgetList(int count) => Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"forget-{count}.txt"));

    /// <summary>A path in the folder where nothing lies yet.</summary>
    public string NewPath(string name) => Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _paths)}-{name}"));

    /// <summary>Writes them.</summary>
    public async Task WriteAsync()
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
            var spec = ArchitectureSpec.Parse(_architecture);
            var model = BuiltInModels.CreateLoaded(spec, ModelPath);
            ReproducibleInitialization.Apply(model.Module, 5);
            using var replica = new ModelReplica(model, torch.CPU, 5);
            ModelFiles.WriteStateDict(ModelPath, replica.State(), spec);
        });
    }

    /// <summary>What a run reads, as options of <c>run</c> and <c>submit</c>.</summary>
    public IReadOnlyList<string> Inputs(int forget = ForgetSamples) =>
        ["--model", ModelPath, "--data", TrainPath, "--test-data", TestPath, "--forget", ForgetList(forget)];

    /// <summary>The settings of all runs here, and more, which override them.</summary>
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

    /// <summary>The same as the coordinator's interface takes them: a value a key.</summary>
    public JsonObject Configuration(IEnumerable<string>? more = null)
    {
        var configuration = new JsonObject();
        foreach (var setting in Settings(more).Where(static s => s != "--set"))
        {
            var (key, value) = (setting.Split('=', 2)[0], setting.Split('=', 2)[1]);
            configuration[key] = value is "true" or "false" || char.IsAsciiDigit(value[0]) || value[0] == '-' ? JsonNode.Parse(value) : value;
        }

        return configuration;
    }
}
