using Scissorhands.Core.Models;
using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Storage;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Tests.Generations;
using TorchSharp;

[assembly: AssemblyFixture(typeof(World))]

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>A model with dropout and batch normalisation and data for it, shared by all tests.</summary>
public sealed class World : IAsyncLifetime
{
    private const int Samples = 90;
    private const int Classes = 3;

    private int _folders;

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-worker-").FullName;

    public async ValueTask InitializeAsync()
    {
        NumericProfile.Apply(new RunConfiguration());
        await ComputeThread.Run("model", () =>
        {
            NumericProfile.ConfigureThread(1);
            Write(ModelPath(wide: false), "resnet20;classes=3;stem=cifar;width=2;dropout=0.2");
            Write(ModelPath(wide: true), "resnet20;classes=3;stem=cifar;width=24;dropout=0.2");
        });

        static void Write(string path, string architecture)
        {
            var spec = ArchitectureSpec.Parse(architecture);
            var model = BuiltInModels.CreateLoaded(spec, path);
            ReproducibleInitialization.Apply(model.Module, 5);
            using var replica = new ModelReplica(model, torch.CPU, 5);
            ModelFiles.WriteStateDict(path, replica.State(), spec);
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Twelve steps in three epochs, of which the last of each has a batch too small for all slices.</summary>
    internal RunInputs Inputs(string format = "f32", string trainable = "all", int checkpointEvery = 1000, bool shardState = false) =>
        Inputs(Configuration(format, trainable, checkpointEvery, shardState), wide: false);

    /// <summary>The same with a model of ten blocks, so that eight workers own a range each, and with as many weights trimmed.</summary>
    internal RunInputs WideInputs(bool shardState, string format = "f32", string trainable = "all", int checkpointEvery = 1000, Func<RunConfiguration, RunConfiguration>? change = null)
    {
        var configuration = Configuration(format, trainable, checkpointEvery, shardState) with { Trim = new() { Fraction = 0.9m }, Artifacts = new() { Saliency = true } };
        return Inputs(change is null ? configuration : change(configuration), wide: true);
    }

    /// <summary>An output folder, with a store beneath it unless another one is given.</summary>
    internal RunFolder NewFolder(ICheckpointStore? checkpoints = null)
    {
        var folder = new RunFolder(Path.Combine(Folder, $"run-{Interlocked.Increment(ref _folders)}"), checkpoints);
        folder.Create();
        return folder;
    }

    private static RunConfiguration Configuration(string format, string trainable, int checkpointEvery, bool shardState) => new()
    {
        Sensitivity = new() { BatchSize = 4, BlockBatches = 1 },
        Trim = new() { Fraction = 0.1m },
        Repair = new() { Epochs = 3, BatchSize = 16, Slices = 4, Lr = 0.05, Lambda = 0.2, Trainable = trainable, ShardState = shardState },
        Projection = new() { Memories = 2 },
        Evaluation = new() { BatchSize = 32, Mia = false },
        Augmentation = new() { Flip = true },
        Checkpoint = new() { EverySteps = checkpointEvery },
        Wire = new() { Format = format },
    };

    private RunInputs Inputs(RunConfiguration configuration, bool wide) =>
        new(configuration, ModelPath(wide), new MadeUpSamples(Samples, Classes), null, [.. Enumerable.Range(0, 33).Select(i => i * 29 % Samples)], []);

    private string ModelPath(bool wide) => Path.Combine(Folder, wide ? "wide.safetensors" : "model.safetensors");
}
