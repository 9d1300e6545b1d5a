using System.Formats.Tar;
using System.Globalization;
using System.Text;
using Scissorhands.Core.Models;
using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Samples;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Randomness;
using Scissorhands.Worker.Run;
using SkiaSharp;
using TorchSharp;

namespace Scissorhands.Benchmarks.World;

/// <summary>A shard of noisy 32 x 32 images of ten classes and a model with random weights, in a temporary folder.</summary>
internal sealed class MadeUpWorld : IDisposable
{
    private const int Size = 32;
    private const int Classes = 10;

    private MadeUpWorld(string architecture, string? modelPath = null)
    {
        ModelPath = modelPath ?? Path.Combine(Folder, "model.safetensors");
        IsGiven = modelPath is not null;
        Spec = ArchitectureSpec.Parse(string.Create(CultureInfo.InvariantCulture, $"{architecture};classes={Classes};stem=cifar"));
    }

    public ArchitectureSpec Spec { get; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-benchmark-").FullName;

    public string ShardPath => Path.Combine(Folder, "train.tar");

    public string ModelPath { get; }

    private bool IsGiven { get; }

    /// <summary>Writes the files. Ends libtorch's set-up of the process, as every program of the product does first.</summary>
    public static MadeUpWorld Create(string architecture, int samples)
    {
        NumericProfile.Apply(new RunConfiguration());
        var world = new MadeUpWorld(architecture);
        world.WriteShard(samples);
        ComputeThread.Run("model", () =>
        {
            NumericProfile.ConfigureThread(1);
            using var replica = new ModelReplica(world.NewModel(), torch.CPU, 1);
            ModelFiles.WriteStateDict(world.ModelPath, replica.State(), world.Spec);
        }).GetAwaiter().GetResult();
        return world;
    }

    /// <summary>Images for a model that lies ready.</summary>
    public static MadeUpWorld CreateFor(string modelPath, int samples)
    {
        NumericProfile.Apply(new RunConfiguration());
        var world = new MadeUpWorld("resnet18", modelPath);
        world.WriteShard(samples);
        return world;
    }

    /// <summary>The model once more, with the same initial weights.</summary>
    public LoadedModel NewModel()
    {
        if (IsGiven)
        {
            return ModelFiles.Load(ModelPath);
        }

        var model = BuiltInModels.CreateLoaded(Spec, "benchmark");
        ReproducibleInitialization.Apply(model.Module, 1);
        return model;
    }

    /// <summary>What a run on these files would work on; the first samples are to be forgotten.</summary>
    public RunInputs Inputs(RunConfiguration configuration, int forget) => new(
        configuration,
        ModelPath,
        DataSets.Open(ShardPath, configuration.Data with { Cache = Path.Combine(Folder, "cache") }, null, CancellationToken.None),
        test: null,
        [.. Enumerable.Range(0, forget)],
        []);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private void WriteShard(int samples)
    {
        using var stream = File.Create(ShardPath);
        using var writer = new TarWriter(stream, TarEntryFormat.Ustar);
        for (var i = 0; i < samples; i++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"train-{i:D6}");
            Add(writer, key + ".jpg", Draw(i));
            Add(writer, key + ".cls", Encoding.ASCII.GetBytes((i % Classes).ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void Add(TarWriter writer, string name, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = DateTimeOffset.UnixEpoch });
    }

    private static byte[] Draw(int index)
    {
        var noise = RandomStream.Create(1, "benchmark-image", first: index);
        using var bitmap = new SKBitmap(new SKImageInfo(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (var i = 0; i < Size * Size; i++)
        {
            var bits = noise.Bits((ulong)i);
            bitmap.SetPixel(i % Size, i / Size, new SKColor((byte)bits, (byte)(bits >> 8), (byte)((bits >> 18) + (20 * (index % Classes)))));
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        return data.ToArray();
    }
}
