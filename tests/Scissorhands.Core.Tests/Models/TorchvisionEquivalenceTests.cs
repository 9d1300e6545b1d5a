using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Scissorhands.Core.Models;
using Scissorhands.Planning.Randomness;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Models;

/// <summary>The built-in models against torchvision's own, where Debian's python3-torch and python3-torchvision are installed.</summary>
public sealed class TorchvisionEquivalenceTests : IDisposable
{
    private const string Python = "/usr/bin/python3";
    private static readonly Lazy<bool> HasTorchvision = new(() => Run("-c", "import torch, torchvision").ExitCode == 0);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scissorhands-models-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("resnet18", "resnet18;classes=10", 64)]
    [InlineData("resnet50", "resnet50;classes=10", 64)]
    [InlineData("vgg16_bn;width=8", "vgg16_bn;classes=10;width=8", 64)]
    [InlineData("vgg16_bn;width=8", "vgg16_bn;classes=10;width=8", 224)]
    public void Forward_eval_mode_gives_torchvisions_logits(string torchvision, string text, int edge)
    {
        SkipWithoutTorchvision();
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = BuiltInModels.Create(ArchitectureSpec.Parse(text));
        foreach (var entry in StateDict.Entries(model))
        {
            Randomize(entry);
        }

        model.eval();
        var images = empty(3, 3, edge, edge);
        Fill(images, "images", -1, 1);
        Save("state.safetensors", StateDict.Entries(model));
        Save("images.safetensors", [new StateEntry("images", images, true)]);
        var expected = RunTorchvision(torchvision);
        var actual = MemoryMarshal.Cast<byte, float>(model.call(images).contiguous().bytes).ToArray();

        Assert.Equal(30, expected.Length);
        var scale = expected.Max(Math.Abs);
        Assert.InRange(expected.Max() - expected.Min(), 0.01 * scale, double.MaxValue);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(Math.Abs(pair.First - pair.Second) / scale, 0, 1e-5));
    }

    private static void SkipWithoutTorchvision()
    {
        Assert.SkipUnless(File.Exists(Python), $"{Python} is absent");
        Assert.SkipUnless(HasTorchvision.Value, "python3-torch or python3-torchvision is not installed");
    }

    // Every tensor differs from its initial value, so that a normalisation layer that ignored one would show.
    private static void Randomize(StateEntry entry)
    {
        switch (entry.Name.Split('.')[^1])
        {
            case "num_batches_tracked":
                entry.Tensor.fill_(7);
                break;
            case "running_var":
                Fill(entry.Tensor, entry.Name, 0.5f, 1.5f);
                break;
            case "weight" when entry.Tensor.dim() == 1:
                Fill(entry.Tensor, entry.Name, 0.5f, 1.5f);
                break;
            case "weight":
                var bound = FreshWeights.Bound(entry.Tensor.shape) * 2;
                Fill(entry.Tensor, entry.Name, -bound, bound);
                break;
            default:
                Fill(entry.Tensor, entry.Name, -0.2f, 0.2f);
                break;
        }
    }

    private static void Fill(Tensor tensor, string name, float low, float high)
    {
        StateDict.Write(tensor, name, (bytes, key) => FreshWeights.Fill(MemoryMarshal.Cast<byte, float>(bytes), RandomStream.Create(4, RandomPurpose.Demo, key), 1));
        tensor.mul_((high - low) / 2).add_((high + low) / 2);
    }

    private static (int ExitCode, string Errors) Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Python, arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, errors);
    }

    private float[] RunTorchvision(string architecture)
    {
        var logits = Path.Combine(_folder.FullName, "logits.f32");
        var (exitCode, errors) = Run(
            TestFolders.Source("Models", "forward.py"),
            architecture,
            Path.Combine(_folder.FullName, "state.safetensors"),
            Path.Combine(_folder.FullName, "images.safetensors"),
            logits);
        Assert.True(exitCode == 0, errors);
        return MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(logits)).ToArray();
    }

    private void Save(string name, IReadOnlyList<StateEntry> entries)
    {
        var header = new Dictionary<string, object>();
        var offset = 0L;
        foreach (var entry in entries)
        {
            var end = offset + (entry.Tensor.numel() * entry.Tensor.element_size());
            header[entry.Name] = new { dtype = entry.Tensor.dtype == ScalarType.Int64 ? "I64" : "F32", entry.Tensor.shape, data_offsets = new[] { offset, end } };
            offset = end;
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        using var file = File.Create(Path.Combine(_folder.FullName, name));
        file.Write(length);
        file.Write(json);
        foreach (var entry in entries)
        {
            StateDict.Read(entry.Tensor, file, (bytes, sink) => sink.Write(bytes));
        }
    }
}
