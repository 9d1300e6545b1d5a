using System.Formats.Tar;
using System.Globalization;
using System.Text;
using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using Scissorhands.Core.Training;
using Scissorhands.Data.Batches;
using Scissorhands.Data.Samples;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using TorchSharp;

namespace Scissorhands.Cli.Demo;

/// <summary>The files of a demonstration: data, forget list, and two models trained on it with and without the forget list.</summary>
internal sealed class DemoWorld
{
    private const int TrainSamples = 1_000;
    private const int TestSamples = 600;
    private const int ForgetEvery = 10;
    private const int Epochs = 36;
    private const int BatchSize = 64;
    private const double LearningRate = 0.08;
    private const double WeightDecay = 1e-4;
    private const string Architecture = "resnet20;classes=5;stem=cifar;width=8";

    public DemoWorld(string folder)
    {
        Folder = folder;
    }

    public string Folder { get; }

    public string TrainPath => Path.Combine(Folder, "train.tar");

    public string TestPath => Path.Combine(Folder, "test.tar");

    public string ForgetPath => Path.Combine(Folder, "forget.txt");

    public string OriginalPath => Path.Combine(Folder, "original.safetensors");

    public string RetrainedPath => Path.Combine(Folder, "retrained.safetensors");

    public string CachePath => Path.Combine(Folder, "cache");

    /// <summary>Draws the data and lists what is to be forgotten.</summary>
    public void MakeData()
    {
        Directory.CreateDirectory(Folder);
        var train = Enumerable.Range(0, TrainSamples).Select(i => string.Create(CultureInfo.InvariantCulture, $"train-{i:D5}")).ToArray();
        WriteShard(TrainPath, train, mislabel: true);
        WriteShard(TestPath, [.. Enumerable.Range(0, TestSamples).Select(i => string.Create(CultureInfo.InvariantCulture, $"test-{i:D5}"))], mislabel: false);
        File.WriteAllLines(ForgetPath, train.Where((_, i) => i % ForgetEvery == 0));
    }

    /// <summary>Trains the original on all samples and the retrained model on those that stay, side by side.</summary>
    public async Task TrainAsync(DataConfiguration data, Action<string> say, CancellationToken cancellationToken)
    {
        using var set = DataSets.Open(TrainPath, data, null, cancellationToken);
        var all = Enumerable.Range(0, set.Count).ToArray();
        await Task.WhenAll(
            ComputeThread.Run("train-original", () => Train(set, data, all, seed: 1, OriginalPath, "original", say, cancellationToken)),
            ComputeThread.Run("train-retrained", () => Train(set, data, [.. all.Where(i => i % ForgetEvery != 0)], seed: 2, RetrainedPath, "retrained", say, cancellationToken)));
    }

    private static void Train(ISampleSet set, DataConfiguration data, int[] ordinals, long seed, string path, string name, Action<string> say, CancellationToken cancellationToken)
    {
        Core.Native.NumericProfile.ConfigureThread(1);
        var spec = ArchitectureSpec.Parse(Architecture);
        var model = BuiltInModels.CreateLoaded(spec, path);
        ReproducibleInitialization.Apply(model.Module, seed);
        using var replica = new ModelReplica(model, torch.CPU, seed);
        var source = new BatchSource(set, data, new AugmentationConfiguration(), seed);
        new PlainTraining(replica, new ClassificationTask(), source).Run(
            ordinals,
            Epochs,
            BatchSize,
            LearningRate,
            WeightDecay,
            seed,
            (epoch, loss, accuracy) =>
            {
                if (epoch % 6 == 0)
                {
                    say(string.Create(CultureInfo.InvariantCulture, $"{name}: epoch {epoch}/{Epochs}, loss {loss:F3}, {100 * accuracy:F1} % right"));
                }
            },
            cancellationToken);
        ModelFiles.WriteStateDict(path, replica.State(), spec);
    }

    private static void WriteShard(string path, string[] ids, bool mislabel)
    {
        using var stream = File.Create(path);
        using var writer = new TarWriter(stream, TarEntryFormat.Ustar);
        foreach (var id in ids)
        {
            Add(writer, id + ".png", DemoImages.Draw(id));
            Add(writer, id + ".cls", Encoding.ASCII.GetBytes(DemoImages.LabelOf(id, mislabel).ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void Add(TarWriter writer, string name, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = DateTimeOffset.UnixEpoch });
    }
}
